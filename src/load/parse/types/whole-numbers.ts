/** Values of smallint, integer and bigint. */

import { type Complaint, kindName, NUMBER, STRING, shown, TEXT, type WriteValue } from '../value.ts';
import { decimalOf } from './decimal.ts';

const GREATEST = { int2: '32767', int4: '2147483647', int8: '9223372036854775807' };
const LEAST = { int2: '32768', int4: '2147483648', int8: '9223372036854775808' };

/** Digits, or a JSON number that is whole (`1e3`, `7.0`), within the type's range. */
export function wholeNumber(type: 'int2' | 'int4' | 'int8'): WriteValue {
  const greatest = Buffer.from(GREATEST[type]);
  const least = Buffer.from(LEAST[type]);
  const outside = (b: Uint8Array, start: number, end: number): Complaint =>
    `${shown(b, start, end)} is out of the range of ${type === 'int8' ? 'bigint' : type === 'int4' ? 'integer' : 'smallint'}`;
  return (b, kind, start, end, out) => {
    if (kind !== NUMBER && kind !== STRING && kind !== TEXT) return `${kindName(kind)} is no whole number`;
    const sign = b[start] === 45 || b[start] === 43 ? 1 : 0;
    let at = start + sign;
    while (at < end && b[at] >= 48 && b[at] <= 57) at++;
    if (at < end || at === start + sign) {
      const whole = kind === NUMBER ? wholeOf(b, start, end) : null;
      if (whole === null) return `${shown(b, start, end)} is no whole number`;
      if (!fits(whole, 0, whole.length, greatest, least)) return outside(b, start, end);
      out.plain(whole, 0, whole.length);
      return null;
    }
    if (!fits(b, start, end, greatest, least)) return outside(b, start, end);
    out.plain(b, start, end);
    return null;
  };
}

function fits(b: Uint8Array, start: number, end: number, greatest: Uint8Array, least: Uint8Array): boolean {
  const limit = b[start] === 45 ? least : greatest;
  let first = b[start] === 45 || b[start] === 43 ? start + 1 : start;
  while (first < end - 1 && b[first] === 48) first++;
  const digits = end - first;
  if (digits !== limit.length) return digits < limit.length;
  for (let i = 0; i < digits; i++) if (b[first + i] !== limit[i]) return b[first + i] < limit[i];
  return true;
}

/** A JSON number with a point or an exponent, as digits; null: it is not whole, or far out of range. */
function wholeOf(b: Uint8Array, start: number, end: number): Uint8Array | null {
  const { negative, digits, exponent } = decimalOf(b, start, end);
  const whole = digits.length + exponent;
  if (digits === '') return Buffer.from('0');
  if (exponent < 0 || whole > 30) return null;
  return Buffer.from(`${negative ? '-' : ''}${digits}${'0'.repeat(exponent)}`);
}
