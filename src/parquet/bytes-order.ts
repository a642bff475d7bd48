/** The order of byte strings, and short bounds for long ones. Invariant: a bound never excludes a value of the column. */

/** Compares a[aFrom, aTo) with b[bFrom, bTo) as unsigned bytes: negative, 0 or positive. */
export function compareBytes(
  a: Uint8Array,
  aFrom: number,
  aTo: number,
  b: Uint8Array,
  bFrom: number,
  bTo: number,
): number {
  const aLength = aTo - aFrom;
  const bLength = bTo - bFrom;
  const shared = aLength < bLength ? aLength : bLength;
  for (let i = 0; i < shared; i++) {
    const difference = a[aFrom + i] - b[bFrom + i];
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** The longest prefix of at most `limit` bytes; of text it ends between code points. */
export function lowerBound(value: Buffer, limit: number, text: boolean): Buffer {
  return value.length <= limit ? value : value.subarray(0, prefixLength(value, limit, text));
}

/** A string of at most `limit` bytes that is not below `value`; null when there is none. */
export function upperBound(value: Buffer, limit: number, text: boolean): Buffer | null {
  if (value.length <= limit) return value;
  const prefix = Buffer.from(value.subarray(0, prefixLength(value, limit, text)));
  return text ? nextText(prefix) : nextBytes(prefix);
}

function prefixLength(value: Buffer, limit: number, text: boolean): number {
  let length = limit;
  if (text) while (length > 0 && (value[length] & 0xc0) === 0x80) length--;
  return length;
}

function nextBytes(prefix: Buffer): Buffer | null {
  for (let i = prefix.length - 1; i >= 0; i--) {
    if (prefix[i] === 0xff) continue;
    prefix[i]++;
    return prefix.subarray(0, i + 1);
  }
  return null;
}

/** The least text above everything that begins with `prefix`, by its last code point that has a successor. */
function nextText(prefix: Buffer): Buffer | null {
  const points = Array.from(prefix.toString('utf8'));
  for (let i = points.length - 1; i >= 0; i--) {
    const point = points[i].codePointAt(0)!;
    // A replacement character may stand for broken bytes, whose order is unknown here.
    if (point === 0xfffd) return null;
    if (point === 0x10ffff) continue;
    // Surrogates are no code points in UTF-8.
    const next = point === 0xd7ff ? 0xe000 : point + 1;
    return Buffer.from(points.slice(0, i).join('') + String.fromCodePoint(next));
  }
  return null;
}
