/** One spelling for a value, whoever read it, so that readers can be compared. Invariant: exact; different values, different text. */

import type { ParquetType } from '../../src/parquet/schema.ts';

/** Null, text of a value, or, for a LIST, a JSON array of those. */
export type Text = string | null;
export type TextColumns = Record<string, Text[]>;

const DAY_MICROS = 86_400_000_000n;

/**
 * The text of a value of the lake's type: `true`, `-5`, `1.50` (a decimal's scale is kept), `2024-02-29`, `2024-02-29T12:00:00.000001Z`
 * (without Z when not UTC), `\x00ff` for bytes without a logical type, strings as they are, floats as JavaScript prints them.
 */
export function textOf(type: ParquetType, value: boolean | number | bigint | Uint8Array): string {
  switch (type.logical.kind) {
    case 'string':
      return bytesOf(value).toString('utf8');
    case 'date':
      return dateText(Number(value));
    case 'timestamp':
      return timestampText(BigInt(value as bigint)) + (type.logical.utc ? 'Z' : '');
    case 'decimal':
      return decimalText(typeof value === 'object' ? signed(bytesOf(value)) : BigInt(value), type.logical.scale);
    case 'int':
    case 'none':
      if (value instanceof Uint8Array) return `\\x${bytesOf(value).toString('hex')}`;
      return typeof value === 'number' ? numberText(value) : String(value);
  }
}

/** As String(), but -0 keeps its sign. */
export function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

export function dateText(days: number): string {
  const date = new Date(days * 86_400_000);
  return Number.isNaN(date.getTime()) ? `day ${days}` : date.toISOString().replace(/T.*/, '');
}

/** Without a zone. */
export function timestampText(micros: bigint): string {
  const day = micros / DAY_MICROS - (micros % DAY_MICROS < 0n ? 1n : 0n);
  let rest = micros - day * DAY_MICROS;
  const fraction = String(rest % 1_000_000n).padStart(6, '0');
  rest /= 1_000_000n;
  const two = (n: bigint) => String(n).padStart(2, '0');
  return `${dateText(Number(day))}T${two(rest / 3600n)}:${two((rest / 60n) % 60n)}:${two(rest % 60n)}.${fraction}`;
}

export function decimalText(unscaled: bigint, scale: number): string {
  const sign = unscaled < 0n ? '-' : '';
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function bytesOf(value: unknown): Buffer {
  const bytes = value as Uint8Array;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Big-endian two's complement. */
function signed(bytes: Buffer): bigint {
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${bytes.toString('hex') || '0'}`));
}
