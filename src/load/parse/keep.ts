/** Which rows are kept, before their values are checked. Invariant: numbers compare as numbers, everything else as text by its bytes. */

import type { Comparison, Scalar } from '../settings.ts';
import { BOOLEAN, latin1, NULL, NUMBER, STRING, TEXT } from './value.ts';

/** Of a value: ABSENT and NULL are both no value; never ESCAPED. */
export type Matches = (b: Uint8Array, kind: number, start: number, end: number) => boolean;

/**
 * No value is smaller, greater or equal to nothing but null: `not` holds for it unless null is among them, all else does not. A number in the
 * configuration is compared with numbers and with texts that are numbers, true and false with themselves and their texts.
 */
export function matcher(is: Comparison): Matches {
  const among = is.in?.map(equals);
  const none = is.not?.map(equals);
  const ordered = [
    is.gt === undefined ? null : compares(is.gt, (order) => order > 0),
    is.gte === undefined ? null : compares(is.gte, (order) => order >= 0),
    is.lt === undefined ? null : compares(is.lt, (order) => order < 0),
    is.lte === undefined ? null : compares(is.lte, (order) => order <= 0),
  ].filter((test) => test !== null);
  return (b, kind, start, end) => {
    if (among && !among.some((equal) => equal(b, kind, start, end))) return false;
    if (none?.some((equal) => equal(b, kind, start, end))) return false;
    for (const test of ordered) if (!test(b, kind, start, end)) return false;
    return true;
  };
}

function equals(value: Scalar): Matches {
  if (value === null) return (_b, kind) => kind <= NULL;
  if (typeof value === 'number') return compares(value, (order) => order === 0);
  const bytes = Buffer.from(String(value));
  const first = bytes[0];
  return (b, kind, start, end) => {
    if (end - start !== bytes.length || kind <= NULL || b[start] !== first) return false;
    for (let i = 1; i < bytes.length; i++) if (b[start + i] !== bytes[i]) return false;
    return typeof value === 'string' || kind === BOOLEAN || kind === STRING || kind === TEXT;
  };
}

function compares(value: Scalar, holds: (order: number) => boolean): Matches {
  if (typeof value === 'number') {
    return (b, kind, start, end) => {
      if (kind !== NUMBER && kind !== STRING && kind !== TEXT) return false;
      const text = latin1(b, start, end).trim();
      const number = text === '' ? Number.NaN : Number(text);
      return !Number.isNaN(number) && holds(number - value);
    };
  }
  const bytes = Buffer.from(String(value));
  return (b, kind, start, end) => kind > NULL && holds(bytes.compare(b, start, end) * -1);
}
