/**
 * Whether a COPY field holds one of a few values. Invariant: values are equal when Postgres prints them alike; numbers also
 * when they are the same number (1, 1.0 and '1'), booleans by true and false, keys that ignore case without it.
 */

import type { Wire } from '../model/column-type.ts';
import { fieldText } from '../postgres/field-text.ts';
import type { PlannedColumn } from './column-plan.ts';

/** The field at `at`, which is not NULL. */
export type IsAccepted = (bytes: Buffer, view: DataView, at: number) => boolean;

/** Distinct values whose verdict is remembered; a column of many would fill the memory. */
const MOST_REMEMBERED = 10_000;

export function acceptedValues(
  { wire, equality }: Pick<PlannedColumn, 'wire' | 'equality'>,
  values: readonly (string | number | boolean)[],
): IsAccepted {
  const canonical = canonicalOf(wire, equality);
  const texts = new Set(values.map((value) => canonical(String(value))));
  if (wire === 'text' && equality === null) return byBytes([...texts]);
  if (wire === 'int2' || wire === 'int4') {
    const numbers = new Set([...texts].map(Number));
    return wire === 'int2'
      ? (_, view, at) => numbers.has(view.getInt16(at))
      : (_, view, at) => numbers.has(view.getInt32(at));
  }
  const verdicts = new Map<string, boolean>();
  return (bytes, view, at) => {
    const key = bytes.toString('latin1', at, at + view.getInt32(at - 4));
    const known = verdicts.get(key);
    if (known !== undefined) return known;
    const verdict = texts.has(canonical(fieldText(wire, bytes, view, at)!));
    if (verdicts.size >= MOST_REMEMBERED) verdicts.clear();
    verdicts.set(key, verdict);
    return verdict;
  };
}

/** Text is compared where it stands: a string of each would cost more than all the rest of the column. */
function byBytes(texts: string[]): IsAccepted {
  const byLength: (Buffer[] | undefined)[] = [];
  for (const text of texts.map((each) => Buffer.from(each))) {
    const same = byLength[text.length] ?? [];
    byLength[text.length] = same;
    same.push(text);
  }
  return (bytes, view, at) => {
    const length = view.getInt32(at - 4);
    const candidates = byLength[length];
    if (candidates === undefined) return false;
    for (const candidate of candidates) {
      let i = 0;
      while (i < length && candidate[i] === bytes[at + i]) i++;
      if (i === length) return true;
    }
    return false;
  };
}

const EXACT = new Set<Wire>(['int2', 'int4', 'int8', 'uint4', 'numeric']);

function canonicalOf(wire: Wire, equality: PlannedColumn['equality']): (text: string) => string {
  if (wire === 'bool') return (text) => ({ true: 't', false: 'f' })[text] ?? text;
  if (wire === 'float4' || wire === 'float8')
    return (text) => (Number.isNaN(Number(text)) ? text : String(Number(text)));
  if (EXACT.has(wire) || equality === 'number') return plainNumber;
  if (equality === 'case') return (text) => text.toLowerCase();
  return (text) => text;
}

/** Without a sign, zeros or a point that say nothing: `+01.50` is `1.5`. */
function plainNumber(text: string): string {
  const [, sign, whole, fraction = ''] = /^([+-]?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(text) ?? [];
  if (whole === undefined || (whole === '' && !/\d/.test(text))) return text;
  const number = `${whole || '0'}${fraction === '' ? '' : `.${fraction}`}`;
  return sign === '-' && number !== '0' ? `-${number}` : number;
}
