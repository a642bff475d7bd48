/**
 * DuckDB's least and greatest values as the bounds of Delta's statistics. Pure. Invariant: a bound may be wider than the values, never
 * narrower, in the order of every reader (strings by their UTF-8 bytes); where that cannot be had there is none.
 */

import type { DeltaType } from './actions.ts';

/** Characters of a string that its bounds keep. */
const PREFIX = 32;
/** Sort after every character and after every character up to U+007E. */
const LAST = '\u{10FFFF}';
const LAST_ASCII = '\u007f';

type Side = 'min' | 'max';

/** JSON text of a bound, from the value as DuckDB prints it in UTC; null: none. */
export function boundOf(type: DeltaType, value: string, side: Side): string | null {
  if (typeof type !== 'string') return null;
  if (type.startsWith('decimal')) return exactNumber(value);
  switch (type) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return exactNumber(value);
    case 'float':
      // The shortest text of a float may lie below it where a reader takes it for a double.
      return float(Math.fround(Number(value)), side);
    case 'double':
      return float(Number(value), side);
    case 'string':
      return text(value, side);
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(value) ? JSON.stringify(value) : null;
    case 'timestamp':
    case 'timestamp_ntz':
      return timestamp(value, side, type === 'timestamp' ? 'Z' : '');
    default:
      return null;
  }
}

/** As it is: a JavaScript number would lose digits. DuckDB prints .5 for 0.5, which is no JSON. */
function exactNumber(value: string): string | null {
  return /^-?\d*\.?\d+$/.test(value) ? value.replace(/^(-?)\./, '$10.') : null;
}

function float(value: number, side: Side): string | null {
  // Infinity and NaN ('nan' and 'inf' are no numbers) have no place in JSON.
  if (!Number.isFinite(value)) return null;
  // Some readers sort -0 before 0, others take them for equal.
  if (value === 0) return side === 'min' ? '-0.0' : '0.0';
  return JSON.stringify(value);
}

function text(value: string, side: Side): string | null {
  const kept = prefix(value, PREFIX);
  if (kept === value || side === 'min') return JSON.stringify(kept);
  // Nothing sorts after U+10FFFF: it stays, and the next character is looked at.
  let end = kept.length;
  while (value.startsWith(LAST, end)) end += LAST.length;
  if (end === value.length) return JSON.stringify(value);
  return JSON.stringify(value.slice(0, end) + (value.charCodeAt(end) < 0x7f ? LAST_ASCII : LAST));
}

/** The first `length` code points: a half surrogate pair is no text. */
function prefix(value: string, length: number): string {
  let end = 0;
  for (let i = 0; i < length && end < value.length; i++) end += value.codePointAt(end)! > 0xffff ? 2 : 1;
  return value.slice(0, end);
}

/** To milliseconds, outward: readers of Delta's statistics take no more. */
function timestamp(value: string, side: Side, zone: 'Z' | ''): string | null {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?(?:\+00)?$/.exec(value);
  if (!match) return null;
  const [, date, time, fraction = ''] = match;
  const down = `${date}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}`;
  if (side === 'min' || /^0*$/.test(fraction.slice(3))) return JSON.stringify(down + zone);
  const up = new Date(Date.parse(`${down}Z`) + 1).toISOString();
  // Of the year 10000 it has a sign, which readers do not expect.
  return up.startsWith('+') ? null : JSON.stringify(up.slice(0, -1) + zone);
}
