import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildDictionary, type Dictionary } from '../../../src/parquet/dictionary.ts';
import type { ParquetType } from '../../../src/parquet/schema.ts';
import { Scratch } from '../../../src/parquet/scratch.ts';
import { plain, TYPES, type Value } from '../../support/parquet-writer.ts';

const scratch = new Scratch();

function build(type: ParquetType, values: readonly Value[]): Dictionary | null {
  return buildDictionary(type, plain(type, values), values.length, scratch);
}

/** The values' PLAIN bytes as a reader of the dictionary gets them. */
function expanded(type: ParquetType, dictionary: Dictionary, count: number): Buffer {
  const entries: Buffer[] = [];
  for (let at = 0; at < dictionary.plain.length; ) {
    const width = { int32: 4, float: 4, int64: 8, double: 8, boolean: 1 } as Record<string, number>;
    const length = type.width ?? width[type.physical] ?? 4 + dictionary.plain.readUInt32LE(at);
    entries.push(dictionary.plain.subarray(at, at + length));
    at += length;
  }
  expect(entries).toHaveLength(dictionary.size);
  expect(new Set(entries.map((entry) => entry.toString('hex'))).size).toBe(dictionary.size);
  return Buffer.concat(Array.from({ length: count }, (_, i) => entries[dictionary.indices[i]]));
}

/** Each four times in a row, then each four times mixed. */
const repeated = (make: (i: number) => Value, different: number) =>
  Array.from({ length: 8 * different }, (_, i) => make(i < 4 * different ? i >> 2 : (i * 7) % different));

/** Alike in length and in most of their bytes, so that a comparison that skips some of them confuses them. */
describe.each([
  ['strings that end differently', TYPES.string, (i: number) => `same begin ${String(i).padStart(4, '0')}`],
  ['strings that begin differently', TYPES.string, (i: number) => `${String(i).padStart(4, '0')} same end`],
  ['strings that differ inside', TYPES.string, (i: number) => `the same ${String(i).padStart(4, '0')} the same`],
  [
    'strings of every short length',
    TYPES.string,
    (i: number) => 'x'.repeat(i % 9) + String.fromCharCode(65 + (i % 50)),
  ],
  ['numbers with the same low word', TYPES.long, (i: number) => BigInt(i) << 32n],
  ['numbers with the same high word', TYPES.long, (i: number) => BigInt(i) * 8n],
  ['doubles', TYPES.double, (i: number) => i / 8],
  ['integers', TYPES.integer, (i: number) => i << 16],
  ['decimals', TYPES.decimal38, (i: number) => BigInt(i - 900) << 64n],
] as [string, ParquetType, (i: number) => Value][])('%s', (_, type, make) => {
  test.each([1, 2, 30, 1800])('%i of them', (different) => {
    const values = repeated(make, different);
    const dictionary = build(type, values);
    expect(dictionary).not.toBeNull();
    expect(expanded(type, dictionary!, values.length).equals(plain(type, values))).toBe(true);
  });
});

test('-0 and 0 are two entries, so are two kinds of NaN', () => {
  expect(build(TYPES.double, [0, -0, 0, -0])?.size).toBe(2);
  const bits = new BigInt64Array([0x7ff8000000000000n, 0x7ff8000000000001n, 0x7ff8000000000000n, 0x7ff8000000000001n]);
  expect(buildDictionary(TYPES.double, Buffer.from(bits.buffer), 4, scratch)?.size).toBe(2);
});

describe('gives up', () => {
  test('when more than half of the values differ', () => {
    expect(build(TYPES.long, [1n, 2n, 1n, 3n])).toBeNull();
    expect(build(TYPES.long, [1n, 2n, 1n, 2n])?.size).toBe(2);
  });
  test('beyond 4,096 entries, and long before when there is no end in sight', () => {
    const climbing = Array.from({ length: 40_000 }, (_, i) => i >> 2);
    expect(build(TYPES.integer, climbing)).toBeNull();
    expect(
      build(
        TYPES.integer,
        climbing.map((i) => i % 4096),
      )?.size,
    ).toBe(4096);
  });
  test('on long strings and many bytes', () => {
    expect(build(TYPES.string, Array<Value>(4).fill('x'.repeat(1025)))).toBeNull();
    expect(
      build(
        TYPES.string,
        repeated((i) => `${i}`.padEnd(1000), 600),
      ),
    ).toBeNull();
  });
  test('on strings made to fall into one slot', () => {
    // Ninety bytes, alike in the twenty that are hashed.
    const alike = (i: number) => `same${String(i).padStart(12, '-')}${'-'.repeat(74)}`;
    expect(build(TYPES.string, repeated(alike, 3000))).toBeNull();
    expect(build(TYPES.string, repeated(alike, 4))?.size).toBe(4);
  });
});

test('whatever strings come, a dictionary gives them back', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 }), { minLength: 1 }), (pool) => {
      const values = [...pool, ...pool, ...pool];
      const dictionary = build(TYPES.string, values);
      expect(dictionary?.size).toBe(new Set(pool).size);
      expect(expanded(TYPES.string, dictionary!, values.length)).toEqual(plain(TYPES.string, values));
    }),
  );
});
