/** A value of a row as its bytes: where it stands and what it is. */

import type { CopyText } from './copy-text.ts';

export const ABSENT = 0;
export const NULL = 1;
export const BOOLEAN = 2;
export const NUMBER = 3;
/** A JSON string without a backslash; start and end are within its quotes. */
export const STRING = 4;
/** A JSON string with backslashes in it; within its quotes. */
export const ESCAPED = 5;
export const OBJECT = 6;
export const ARRAY = 7;
/** Text as it is: a CSV field, a JSON string without its escapes. Any byte but NUL may be in it. */
export const TEXT = 8;
/** A CSV field within its quotes, with doubled quotes in it. */
export const QUOTED = 9;

/** What is wrong with a value, for people to read after its column's name; null: nothing. */
export type Complaint = string | null;

/**
 * Checks a value (never ABSENT, NULL or QUOTED; ESCAPED for JSON columns only) as strictly as Postgres would and writes it as a field of text COPY. What
 * it has written of a value that it complains of is taken back by the caller.
 */
export type WriteValue = (b: Uint8Array, kind: number, start: number, end: number, out: CopyText) => Complaint;

const KINDS = [
  'nothing',
  'null',
  'a boolean',
  'a number',
  'a text',
  'a text',
  'an object',
  'an array',
  'a text',
  'a text',
];

export function kindName(kind: number): string {
  return KINDS[kind];
}

/** A value's text for a complaint: no more than its begin. */
export function shown(b: Uint8Array, start: number, end: number): string {
  const bytes = Buffer.from(b.buffer, b.byteOffset + start, Math.min(end - start, 60));
  return `'${bytes.toString().replace(/\ufffd+$/, '')}${end - start > 60 ? '…' : ''}'`;
}

/** Bytes of which only ASCII means something, as text. */
export function latin1(b: Uint8Array, start: number, end: number): string {
  return Buffer.from(b.buffer, b.byteOffset + start, end - start).toString('latin1');
}
