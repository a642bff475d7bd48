/** Values of text, varchar(n), boolean, uuid, and of types that only the target knows. */

import { BOOLEAN, kindName, latin1, NUMBER, STRING, shown, TEXT, type WriteValue } from '../value.ts';

/** Takes everything: a number as it was written, an object or array as its JSON text. */
export function text(characters: number | null): WriteValue {
  return (b, kind, start, end, out) => {
    if (characters !== null && end - start > characters) {
      const count = charactersOf(b, start, end);
      if (count > characters) return `${count} characters are more than ${characters}`;
    }
    if (kind === STRING || kind === NUMBER || kind === BOOLEAN) out.plain(b, start, end);
    else out.escaped(b, start, end);
    return null;
  };
}

function charactersOf(b: Uint8Array, start: number, end: number): number {
  let count = 0;
  // Every byte of UTF-8 but those that go on with a character begins one.
  for (let i = start; i < end; i++) if ((b[i] & 0xc0) !== 0x80) count++;
  return count;
}

/** true and false; as a text also what Postgres writes and reads: t, f, yes, no, y, n, on, off, 1, 0. */
export const boolean: WriteValue = (b, kind, start, end, out) => {
  if (kind === BOOLEAN) {
    out.byte(b[start]);
    return null;
  }
  if (kind !== STRING && kind !== TEXT) return `${kindName(kind)} is no boolean`;
  const word = end - start > 5 ? '' : latin1(b, start, end);
  if (/^(t|true|yes|y|on|1)$/i.test(word)) out.byte(116);
  else if (/^(f|false|no|n|off|0)$/i.test(word)) out.byte(102);
  else return `${shown(b, start, end)} is no boolean`;
  return null;
};

const HEX = new Uint8Array(256);
for (const digit of '0123456789abcdefABCDEF') HEX[digit.charCodeAt(0)] = 1;

/** 32 hexadecimal digits in either case; hyphens after any four, braces around. */
export const uuid: WriteValue = (b, kind, start, end, out) => {
  if (kind !== STRING && kind !== TEXT) return `${kindName(kind)} is no uuid`;
  if (!isPlainUuid(b, start, end)) {
    const word = end - start > 41 ? '' : latin1(b, start, end);
    if (!/^(\{(?=.*\}$))?([0-9a-f]{4}-?){7}[0-9a-f]{4}\}?$/i.test(word) || (word.endsWith('}') && word[0] !== '{')) {
      return `${shown(b, start, end)} is no uuid`;
    }
  }
  out.plain(b, start, end);
  return null;
};

function isPlainUuid(b: Uint8Array, start: number, end: number): boolean {
  if (end - start !== 36) return false;
  for (let i = 0; i < 36; i++) {
    const hyphen = i === 8 || i === 13 || i === 18 || i === 23;
    if (hyphen ? b[start + i] !== 45 : HEX[b[start + i]] === 0) return false;
  }
  return true;
}
