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

/** After the first thousand values, one that is new in every second row means that no end is in sight. */
function hopeless(size: number, most: number, seen: number): boolean {
  return size >= most || (size > 1000 && size > seen >>> 1);
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
  const capacity = capacityFor(most);
  const mask = capacity - 1;
  const shift = Math.clz32(mask);
  const slots = scratch.slotsFor(capacity);
  const indices = scratch.indicesFor(count);
  const starts = new Float64Array(most);
  const lengths = new Int32Array(most);
  const view = new DataView(values.buffer, values.byteOffset, values.length);
  const prefix = width === 0 ? 4 : 0;
  let size = 0;
  let bytes = 0;
  let at = 0;
  for (let i = 0; i < count; i++) {
    const length = width === 0 ? view.getUint32(at, true) : width;
    if (length > LONGEST_ENTRY) return null;
    at += prefix;
    let hash = hashOf(view, at, length) >>> shift;
    let index = slots[hash];
    while (index >= 0 && (lengths[index] !== length || !sameBytes(view, starts[index], at, length))) {
      hash = (hash + 1) & mask;
      index = slots[hash];
    }
    if (index < 0) {
      bytes += prefix + length;
      if (hopeless(size, most, i) || bytes > MOST_BYTES) return null;
      index = size++;
      slots[hash] = index;
      starts[index] = at;
      lengths[index] = length;
    }
    indices[i] = index;
    at += length;
  }
  const plain = Buffer.allocUnsafe(bytes);
  let end = 0;
  for (let i = 0; i < size; i++) end += values.copy(plain, end, starts[i] - prefix, starts[i] + lengths[i]);
  return { size, plain, indices };
}

/** Four bytes at a time. The multiplications spread every byte to the top bits, which select the slot. */
function hashOf(view: DataView, at: number, length: number): number {
  let hash = length;
  let from = at;
  const end = at + length;
  for (; from + 4 <= end; from += 4) {
    hash = Math.imul(hash ^ view.getInt32(from, true), 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  for (; from < end; from++) hash = Math.imul(hash ^ view.getUint8(from), 0x01000193);
  return Math.imul(hash ^ (hash >>> 15), 0x9e3779b1);
}

function sameBytes(view: DataView, a: number, b: number, length: number): boolean {
  let i = 0;
  for (; i + 4 <= length; i += 4) if (view.getInt32(a + i, true) !== view.getInt32(b + i, true)) return false;
  for (; i < length; i++) if (view.getUint8(a + i) !== view.getUint8(b + i)) return false;
  return true;
}
