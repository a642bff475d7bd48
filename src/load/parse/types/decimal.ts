/** Decimal numbers taken apart exactly. Pure. */

import { latin1 } from '../value.ts';

export type Decimal = {
  negative: boolean;
  /** Without zeros at either end; '' is zero. */
  digits: string;
  /** The number is digits * 10^exponent. */
  exponent: number;
  /** How many digits behind the point it is written with. */
  scale: number;
};

/** Reads what isDecimal() holds for. */
export function decimalOf(b: Uint8Array, start: number, end: number): Decimal {
  const text = latin1(b, start, end);
  const [, sign, whole, fraction = '', e = '0'] = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text)!;
  const written = Number(e);
  const digits = (whole + fraction).replace(/^0+/, '');
  const short = digits.replace(/0+$/, '');
  return {
    negative: sign === '-',
    digits: short,
    exponent: short === '' ? 0 : written - fraction.length + (digits.length - short.length),
    scale: Math.max(0, fraction.length - written),
  };
}

/** Whether the bytes are a decimal number as Postgres reads it: an optional sign, digits with a point among or beside them, an exponent. */
export function isDecimal(b: Uint8Array, start: number, end: number): boolean {
  let at = start;
  if (b[at] === 45 || b[at] === 43) at++;
  const first = at;
  while (at < end && b[at] >= 48 && b[at] <= 57) at++;
  let digits = at - first;
  if (at < end && b[at] === 46) {
    const point = ++at;
    while (at < end && b[at] >= 48 && b[at] <= 57) at++;
    digits += at - point;
  }
  if (digits === 0) return false;
  if (at < end && (b[at] | 32) === 101) {
    at++;
    if (at < end && (b[at] === 45 || b[at] === 43)) at++;
    const exponent = at;
    while (at < end && b[at] >= 48 && b[at] <= 57) at++;
    if (at === exponent) return false;
  }
  return at === end;
}

/** 10^n is the power of ten just above the number's first digit: 0.05 has -1, 7 has 1, 10 has 2. Zero has -Infinity. */
export function magnitude({ digits, exponent }: Decimal): number {
  return digits === '' ? Number.NEGATIVE_INFINITY : digits.length + exponent;
}

/** The magnitude once it is rounded half away from zero to `scale` digits behind the point: 9.95 with 1 has 2. */
export function roundedMagnitude(number: Decimal, scale: number): number {
  const { digits, exponent } = number;
  const kept = digits.length + exponent + scale;
  if (kept >= digits.length || digits === '') return magnitude(number);
  if (kept < 0) return Number.NEGATIVE_INFINITY;
  if (digits[kept] < '5') return kept === 0 ? Number.NEGATIVE_INFINITY : magnitude(number);
  return /^9*$/.test(digits.slice(0, kept)) ? magnitude(number) + 1 : magnitude(number);
}
