/** Texts of JSON without their escapes. Invariant: what comes out is UTF-8 without NUL, which Postgres takes, or a complaint. */

import type { Complaint } from './value.ts';

const QUOTE = 34;
const BACKSLASH = 92;
const NUL_COMPLAINT = 'holds a NUL character, which Postgres cannot store';
const SURROGATE_COMPLAINT = 'holds half of a surrogate pair, which is no character';

/** The text of one value at a time, in memory that the next one takes over. */
export class Unescaped {
  bytes: Uint8Array = new Uint8Array(64 * 1024);
  length = 0;

  /** Reads a well-formed JSON string, its quotes left out. */
  read(b: Uint8Array, start: number, end: number): Complaint {
    // No escape is shorter than what it stands for.
    if (this.bytes.length < end - start) this.bytes = new Uint8Array(2 * (end - start));
    const to = this.bytes;
    let at = 0;
    for (let i = start; i < end; ) {
      const c = b[i++];
      if (c !== BACKSLASH) {
        to[at++] = c;
        continue;
      }
      const letter = b[i++];
      if (letter !== 117) {
        to[at++] = MEANING[letter];
        continue;
      }
      let code = hex4(b, i);
      i += 4;
      if (code === 0) return NUL_COMPLAINT;
      if (code >= 0xd800 && code <= 0xdfff) {
        const low = code < 0xdc00 && b[i] === BACKSLASH && b[i + 1] === 117 && i + 6 <= end ? hex4(b, i + 2) : 0;
        if (low < 0xdc00 || low > 0xdfff) return SURROGATE_COMPLAINT;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
      }
      at = utf8(to, at, code);
    }
    this.length = at;
    return null;
  }

  /** Reads a CSV field within its quotes: two quotes are one. */
  readQuoted(b: Uint8Array, start: number, end: number): void {
    if (this.bytes.length < end - start) this.bytes = new Uint8Array(2 * (end - start));
    let at = 0;
    for (let i = start; i < end; i++) {
      this.bytes[at++] = b[i];
      if (b[i] === QUOTE) i++;
    }
    this.length = at;
  }
}

/** What jsonb refuses of a well-formed JSON text's escapes: NUL and half surrogate pairs. */
export function escapesComplaint(b: Uint8Array, start: number, end: number): Complaint {
  for (let i = start; i < end; i++) {
    if (b[i] !== BACKSLASH) continue;
    i++;
    if (b[i] !== 117) continue;
    const code = hex4(b, i + 1);
    i += 4;
    if (code === 0) return NUL_COMPLAINT;
    if (code < 0xd800 || code > 0xdfff) continue;
    const low = code < 0xdc00 && b[i + 1] === BACKSLASH && b[i + 2] === 117 ? hex4(b, i + 3) : 0;
    if (low < 0xdc00 || low > 0xdfff) return SURROGATE_COMPLAINT;
    i += 6;
  }
  return null;
}

const MEANING = new Uint8Array(128);
for (const [letter, meaning] of Object.entries({
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
})) {
  MEANING[letter.charCodeAt(0)] = meaning.charCodeAt(0);
}

function hex4(b: Uint8Array, at: number): number {
  return (hex(b[at]) << 12) | (hex(b[at + 1]) << 8) | (hex(b[at + 2]) << 4) | hex(b[at + 3]);
}

function hex(c: number): number {
  return c <= 57 ? c - 48 : (c | 32) - 87;
}

function utf8(to: Uint8Array, at: number, code: number): number {
  if (code < 0x80) {
    to[at++] = code;
  } else if (code < 0x800) {
    to[at++] = 0xc0 | (code >> 6);
    to[at++] = 0x80 | (code & 63);
  } else if (code < 0x10000) {
    to[at++] = 0xe0 | (code >> 12);
    to[at++] = 0x80 | ((code >> 6) & 63);
    to[at++] = 0x80 | (code & 63);
  } else {
    to[at++] = 0xf0 | (code >> 18);
    to[at++] = 0x80 | ((code >> 12) & 63);
    to[at++] = 0x80 | ((code >> 6) & 63);
    to[at++] = 0x80 | (code & 63);
  }
  return at;
}
