/** Values of json and jsonb: the JSON text as it was sent. */

import { CopyText } from '../copy-text.ts';
import { JsonScanner } from '../json-scan.ts';
import { escapesComplaint } from '../json-text.ts';
import { type Complaint, ESCAPED, NUMBER, STRING, shown, TEXT, type WriteValue } from '../value.ts';
import { numeric } from './decimals.ts';

/** A text that is no JSON string itself, such as a CSV field, must be JSON. */
export function json(type: 'json' | 'jsonb'): WriteValue {
  const scanner = new JsonScanner([]);
  return (b, kind, start, end, out) => {
    if (kind === TEXT) {
      const problem = scanner.scan(b, start, end);
      if (problem !== null) return `${shown(b, start, end)} is ${problem}`;
    }
    const quoted = kind === STRING || kind === ESCAPED;
    const [from, to] = quoted ? [start - 1, end + 1] : [start, end];
    if (type === 'jsonb') {
      const complaint = escapesComplaint(b, from, to) ?? (quoted ? null : numbersComplaint(b, from, to));
      if (complaint !== null) return complaint;
    }
    out.escaped(b, from, to);
    return null;
  };
}

const inNumeric = numeric(null, 0);
const nowhere = new CopyText(64);

/** jsonb stores numbers as numeric: an exponent can be too much. Looked for only where one of four digits may stand. */
function numbersComplaint(b: Uint8Array, start: number, end: number): Complaint {
  let digits = 0;
  let longest = 0;
  for (let i = start; i < end; i++) {
    const c = b[i];
    digits = c >= 48 && c <= 57 ? digits + 1 : 0;
    if (digits > longest) longest = digits;
    // A text may hold whatever digits it likes.
    if (c === 34) for (i++; b[i] !== 34; i++) if (b[i] === 92) i++;
  }
  if (longest < 4) return null;
  let complaint: Complaint = null;
  const bytes = Buffer.from(b.buffer, b.byteOffset + start, end - start);
  if (!/\d[eE][+-]?\d{4}|\d{5000}/.test(bytes.toString('latin1'))) return null;
  JSON.parse(bytes.toString(), ((_key: string, value: unknown, { source }: { source: string }) => {
    if (typeof value !== 'number' || complaint !== null) return null;
    const number = Buffer.from(source);
    nowhere.length = 0;
    complaint = inNumeric(number, NUMBER, 0, number.length, nowhere);
    return null;
  }) as (key: string, value: unknown) => unknown);
  return complaint;
}
