import { expect, test } from 'vitest';
import { boundText } from '../../../src/export/bound-text.ts';
import type { Logical, ParquetType } from '../../../src/parquet/schema.ts';

const type = (physical: ParquetType['physical'], logical: Logical = { kind: 'none' }): ParquetType => ({
  physical,
  logical,
});
const bytes = (write: (buffer: Buffer) => void, length = 8): Buffer => {
  const buffer = Buffer.alloc(length);
  write(buffer);
  return buffer;
};
const int = (value: number) => bytes((b) => b.writeInt32LE(value), 4);
const long = (value: bigint) => bytes((b) => b.writeBigInt64LE(value));
const decimal = (scale: number): Logical => ({ kind: 'decimal', precision: 38, scale });
const wide = (value: bigint) =>
  bytes((b) => {
    b.writeBigInt64BE(value >> 64n);
    b.writeBigUInt64BE(value & (2n ** 64n - 1n), 8);
  }, 16);

test.each<[string, ParquetType, Buffer]>([
  ['true', type('boolean'), Buffer.from([1])],
  ['false', type('boolean'), Buffer.from([0])],
  ['-2147483648', type('int32'), int(-(2 ** 31))],
  ['-32768', type('int32', { kind: 'int', bits: 16 }), int(-32_768)],
  ['1969-12-31', type('int32', { kind: 'date' }), int(-1)],
  ['-0.05', type('int32', decimal(2)), int(-5)],
  ['9223372036854775807', type('int64'), long(2n ** 63n - 1n)],
  ['-0.000000000000000001', type('int64', decimal(18)), long(-1n)],
  ['2024-02-29 12:00:00.000001+00', type('int64', { kind: 'timestamp', utc: true }), long(1_709_208_000_000_001n)],
  ['1969-12-31 23:59:59.9', type('int64', { kind: 'timestamp', utc: false }), long(-100_000n)],
  [`-${'9'.repeat(36)}.99`, type('fixed', decimal(2)), wide(1n - 10n ** 38n)],
  ['18446744073709551615', type('fixed', decimal(0)), wide(2n ** 64n - 1n)],
  ['-1', type('fixed', decimal(0)), wide(-1n)],
  ['0.5', type('float'), bytes((b) => b.writeFloatLE(0.5), 4)],
  ['0.1', type('double'), bytes((b) => b.writeDoubleLE(0.1))],
  ['é🏔', type('bytes', { kind: 'string' }), Buffer.from('é🏔')],
])('%s', (text, given, plain) => {
  expect(boundText(given, plain)).toBe(text);
});
