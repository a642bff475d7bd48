/** Dictionaries over PLAIN bytes. Invariant: equal bytes, equal entry; -0 and 0, or two NaNs, stay apart and exact. */

import type { ParquetType } from './schema.ts';
import type { Scratch } from './scratch.ts';

/** More entries than this pay rarely, and their indices must fit 16 bits. */
const MOST_ENTRIES = 4096;
/** Longer strings than this are seldom repeated; hashing them all would cost more than it saves. */
const LONGEST_ENTRY = 1024;
const MOST_BYTES = 512 * 1024;

export type Dictionary = {
  /** Entries. */
  size: number;
  /** PLAIN bytes of the entries. */
  plain: Buffer;
  /** One a value; shared memory, valid until the next dictionary is built. */
  indices: Uint16Array;
};

/** A dictionary of `count` PLAIN values; null as soon as it is clear that there are too many different ones. */
export function buildDictionary(type: ParquetType, values: Buffer, count: number, scratch: Scratch): Dictionary | null {
  // Half as many entries as values save nothing over PLAIN.
  const most = Math.min(MOST_ENTRIES, count >>> 1);
  if (most === 0) return null;
  switch (type.physical) {
    case 'boolean':
      return null;
    case 'int32':
    case 'float':
      return dictionaryOf4(new Int32Array(values.buffer, values.byteOffset, count), count, most, scratch);
    case 'int64':
    case 'double':
      return dictionaryOf8(new Int32Array(values.buffer, values.byteOffset, 2 * count), count, most, scratch);
    case 'fixed':
      return dictionaryOfBytes(values, count, type.width!, most, scratch);
    case 'bytes':
      return dictionaryOfBytes(values, count, 0, most, scratch);
  }
}

function capacityFor(most: number): number {
  return 1 << (34 - Math.clz32(most));
}

/** Too many, or bound to be: of 4,000 different values about 1,150 rows show a thousand, of 40,000 about 1,010 do. */
function hopeless(size: number, most: number, seen: number): boolean {
  return size >= most || (size > 1000 && 8 * size > 7 * seen);
}

function dictionaryOf4(words: Int32Array, count: number, most: number, scratch: Scratch): Dictionary | null {
  const capacity = capacityFor(most);
  const mask = capacity - 1;
  const shift = Math.clz32(mask);
  const slots = scratch.slotsFor(capacity);
  const indices = scratch.indicesFor(count);
  const entries = new Int32Array(most);
  let size = 0;
  for (let i = 0; i < count; i++) {
    const word = words[i];
    let hash = Math.imul(word, 0x9e3779b1) >>> shift;
    let index = slots[hash];
    while (index >= 0 && entries[index] !== word) {
      hash = (hash + 1) & mask;
      index = slots[hash];
    }
    if (index < 0) {
      if (hopeless(size, most, i)) return null;
      index = size++;
      slots[hash] = index;
      entries[index] = word;
    }
    indices[i] = index;
  }
  return { size, plain: Buffer.from(entries.buffer, 0, 4 * size), indices };
}

function dictionaryOf8(words: Int32Array, count: number, most: number, scratch: Scratch): Dictionary | null {
  const capacity = capacityFor(most);
  const mask = capacity - 1;
  const shift = Math.clz32(mask);
  const slots = scratch.slotsFor(capacity);
  const indices = scratch.indicesFor(count);
  const entries = new Int32Array(2 * most);
  let size = 0;
  for (let i = 0; i < count; i++) {
    const low = words[2 * i];
    const high = words[2 * i + 1];
    let hash = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) >>> shift;
    let index = slots[hash];
    while (index >= 0 && (entries[2 * index] !== low || entries[2 * index + 1] !== high)) {
      hash = (hash + 1) & mask;
      index = slots[hash];
    }
    if (index < 0) {
      if (hopeless(size, most, i)) return null;
      index = size++;
      slots[hash] = index;
      entries[2 * index] = low;
      entries[2 * index + 1] = high;
    }
    indices[i] = index;
  }
  return { size, plain: Buffer.from(entries.buffer, 0, 8 * size), indices };
}

/** `width` 0: strings behind their lengths. */
function dictionaryOfBytes(
  values: Buffer,
  count: number,
  width: number,
  most: number,
  scratch: Scratch,
): Dictionary | null {
  // Narrower values have no four bytes of their own to read.
  if (width > 0 && width < 4) return null;
  const capacity = capacityFor(most);
  const mask = capacity - 1;
  const shift = Math.clz32(mask);
  const slots = scratch.slotsFor(capacity);
  const indices = scratch.indicesFor(count);
  const starts = new Int32Array(most);
  const lengths = new Int32Array(most);
  const tails = new Int32Array(most);
  const view = new DataView(values.buffer, values.byteOffset, values.length);
  const prefix = width === 0 ? 4 : 0;
  let size = 0;
  let bytes = 0;
  let patience = 4 * count;
  let at = 0;
  for (let i = 0; i < count; i++) {
    const length = width === 0 ? view.getInt32(at, true) : width;
    // A length beyond 2 GiB reads as negative.
    if (length > LONGEST_ENTRY || length < 0) return null;
    at += prefix;
    // A short string's last four bytes reach into its length, which is the same for equal strings: no loop over bytes.
    const tail = view.getInt32(at + length - 4, true);
    let hash = tail ^ Math.imul(length, 0x85ebca6b);
    if (length > 4) {
      // Five words stand for all of a string: reading every one of a long string costs more than an unlucky slot.
      hash = Math.imul(hash, 0x9e3779b1) ^ view.getInt32(at, true);
      hash = Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) ^ view.getInt32(at + ((length - 4) >>> 1), true);
      if (length > 12) {
        const quarter = (length - 4) >>> 2;
        hash = Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) ^ view.getInt32(at + quarter, true);
        hash = Math.imul(hash ^ (hash >>> 15), 0x9e3779b1) ^ view.getInt32(at + length - 4 - quarter, true);
      }
    }
    hash = Math.imul(hash ^ (hash >>> 15), 0x9e3779b1);
    let slot = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> shift;
    let index = slots[slot];
    while (
      index >= 0 &&
      (tails[index] !== tail || lengths[index] !== length || !sameButTail(view, starts[index], at, length))
    ) {
      // Strings alike in those bytes and not in others would make this a search through all of them.
      if (--patience < 0) return null;
      slot = (slot + 1) & mask;
      index = slots[slot];
    }
    if (index < 0) {
      bytes += prefix + length;
      // The start must fit 32 bits.
      if (hopeless(size, most, i) || bytes > MOST_BYTES || at > 0x7fffffff) return null;
      index = size++;
      slots[slot] = index;
      starts[index] = at;
      lengths[index] = length;
      tails[index] = tail;
    }
    indices[i] = index;
    at += length;
  }
  const plain = Buffer.allocUnsafe(bytes);
  let end = 0;
  for (let i = 0; i < size; i++) end += values.copy(plain, end, starts[i] - prefix, starts[i] + lengths[i]);
  return { size, plain, indices };
}

/** Whether two strings whose last four bytes are equal are so in front of them. */
function sameButTail(view: DataView, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length - 4; i += 4) if (view.getInt32(a + i, true) !== view.getInt32(b + i, true)) return false;
  return true;
}
