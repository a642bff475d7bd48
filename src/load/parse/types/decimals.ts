/** Values of numeric, real and double precision: the digits that were sent, never a JavaScript number's. */

import { kindName, latin1, NUMBER, STRING, shown, TEXT, type WriteValue } from '../value.ts';
import { decimalOf, isDecimal, magnitude, roundedMagnitude } from './decimal.ts';

// What Postgres stores of a numeric without bounds.
const MOST_WHOLE = 131_072;
const MOST_FRACTION = 16_383;
/** Beyond it Postgres gives up on an exponent before it looks at the number. */
const MOST_EXPONENT = 1_000_000;

/** NaN in any case, infinities for a numeric without bounds only (from Postgres 14 on). */
export function numeric(digits: number | null, scale: number): WriteValue {
  const named = digits === null ? 'numeric' : `numeric(${digits},${scale})`;
  // Any number of so few characters without an exponent fits.
  const short = digits === null ? 1_000 : Math.min(digits - scale, 1_000);
  return (b, kind, start, end, out) => {
    if (kind !== NUMBER && kind !== STRING && kind !== TEXT) return `${kindName(kind)} is no number`;
    if (kind !== NUMBER && !isDecimal(b, start, end)) {
      const word = wordOf(b, start, end);
      if (word === null) return `${shown(b, start, end)} is no number`;
      if (word !== 'NaN' && digits !== null) return `${word} does not fit into ${named}`;
      out.text(word);
      return null;
    }
    if (end - start > short || hasExponent(b, start, end)) {
      const number = decimalOf(b, start, end);
      const fits =
        Math.abs(number.exponent) <= MOST_EXPONENT &&
        (digits === null
          ? magnitude(number) <= MOST_WHOLE && number.scale <= MOST_FRACTION
          : roundedMagnitude(number, scale) <= digits - scale && number.scale <= MOST_EXPONENT);
      if (!fits) return `${shown(b, start, end)} does not fit into ${named}`;
    }
    out.plain(b, start, end);
    return null;
  };
}

/** A number that becomes infinite or zero by its size is refused, as Postgres does. */
export function float(type: 'float4' | 'float8'): WriteValue {
  const named = type === 'float4' ? 'real' : 'double precision';
  return (b, kind, start, end, out) => {
    if (kind !== NUMBER && kind !== STRING && kind !== TEXT) return `${kindName(kind)} is no number`;
    if (kind !== NUMBER && !isDecimal(b, start, end)) {
      const word = wordOf(b, start, end);
      if (word === null) return `${shown(b, start, end)} is no number`;
      out.text(word);
      return null;
    }
    if (end - start > 30 || hasExponent(b, start, end)) {
      const number = Number(latin1(b, start, end));
      const stored = type === 'float4' ? Math.fround(number) : number;
      const zero = stored === 0 && decimalOf(b, start, end).digits !== '';
      if (zero || !Number.isFinite(stored)) return `${shown(b, start, end)} is out of the range of ${named}`;
    }
    out.plain(b, start, end);
    return null;
  };
}

function hasExponent(b: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if ((b[i] | 32) === 101) return true;
  return false;
}

/** What a text of letters says, as every Postgres reads it. */
function wordOf(b: Uint8Array, start: number, end: number): string | null {
  if (end - start > 9) return null;
  const word = latin1(b, start, end);
  if (/^nan$/i.test(word)) return 'NaN';
  if (/^\+?inf(inity)?$/i.test(word)) return 'Infinity';
  return /^-inf(inity)?$/i.test(word) ? '-Infinity' : null;
}
