/**
 * Bounds as any writer may have put them into a log, made safe. Pure. Invariant: what comes out holds every value that the writer may have
 * meant, and can be cast to the column's type.
 */

import type { DeltaType } from './actions.ts';

/** Text of the bound, as DuckDB casts it; null: none to rely on. */
export function safeBound(type: DeltaType, value: string, side: 'min' | 'max'): string | null {
  if (type === 'timestamp' || type === 'timestamp_ntz') return side === 'min' ? value : lastOf(value);
  const decimal = /^decimal\((\d+),(\d+)\)$/.exec(type as string);
  return decimal ? decimalBound(value, Number(decimal[1]), Number(decimal[2]), side) : value;
}

/** Writers cut timestamps to milliseconds, and leave out zeros: the last microsecond that may have been cut to this. */
function lastOf(timestamp: string): string {
  return timestamp.replace(
    /(:\d\d:\d\d)(?:\.(\d*))?/,
    (_, time: string, fraction = '') => `${time}.${fraction.padEnd(6, '9')}`,
  );
}

/** So many digits come through a double unchanged. */
const DOUBLE_DIGITS = 15;
/** Beyond this many bits nothing is certain: delta-rs was seen to be off by the last two of 53. */
const CERTAIN_BITS = 48n;
const MOST_EXPONENT = 40;

/** delta-rs 1.6.6 writes decimals as doubles: 90071992547409.9300 becomes 90071992547409.94, 10^29 - 1 becomes 1e+29. */
function decimalBound(value: string, precision: number, scale: number, side: 'min' | 'max'): string | null {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(value);
  if (!match) return null;
  const [, sign, whole, fraction = '', exponent = '0'] = match;
  if (Math.abs(Number(exponent)) > MOST_EXPONENT) return null;
  const digits = BigInt(`${whole}${fraction}`);
  const shift = scale - fraction.length + Number(exponent);
  const scaled = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift);
  let error = shift < 0 ? 1n : 0n;
  if (String(scaled).length > DOUBLE_DIGITS) error += (scaled >> CERTAIN_BITS) + 1n;
  const signed = (sign ? -scaled : scaled) + (side === 'min' ? -error : error);
  const largest = 10n ** BigInt(precision) - 1n;
  const within = signed > largest ? largest : signed < -largest ? -largest : signed;
  return decimalText(within, scale);
}

function decimalText(value: bigint, scale: number): string {
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  return `${value < 0n ? '-' : ''}${whole}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`;
}
