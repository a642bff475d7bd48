/** The values part of data pages, an encoding each. Invariant: pages lie one after another; a page is laid out while the input still holds. */

import { deltaBound, int64At, writeDelta } from './delta.ts';
import { bitWidth, hybridBound, writeHybrid, writeRun } from './hybrid.ts';
import { ENCODING, type Encoding } from './page-header.ts';

/** What a page's values may take by default, unless one row alone has more: 122,880 int64 values make one page. */
export const PAGE_BYTES = 960 * 1024;

export type PageValues = {
  encoding: Encoding;
  /** Where a page should end that begins with value `from`; may lie behind the last value. */
  fit(from: number): number;
  /** The most bytes that `write` takes for the values [from, to). */
  bound(from: number, to: number): number;
  /** Returns the position behind the last byte. */
  write(from: number, to: number, out: Buffer, at: number): number;
};

/** PLAIN values of one width. */
export function plainFixed(values: Buffer, width: number, pageBytes: number): PageValues {
  const most = Math.max(1, Math.floor(pageBytes / width));
  return {
    encoding: ENCODING.plain,
    fit: (from) => from + most,
    bound: (from, to) => (to - from) * width,
    write(from, to, out, at) {
      out.set(values.subarray(from * width, to * width), at);
      return at + (to - from) * width;
    },
  };
}

/** PLAIN strings; `offsets` has where each begins and, last, where they end. */
export function plainBytes(values: Buffer, offsets: Float64Array, count: number, pageBytes: number): PageValues {
  return {
    encoding: ENCODING.plain,
    fit(from) {
      const end = offsets[from] + pageBytes;
      let to = from + 1;
      while (to < count && offsets[to + 1] <= end) to++;
      return to;
    },
    bound: (from, to) => offsets[to] - offsets[from],
    write(from, to, out, at) {
      out.set(values.subarray(offsets[from], offsets[to]), at);
      return at + offsets[to] - offsets[from];
    },
  };
}

/** Bytes of 0 and 1, packed eight to a byte; `repeated`: all are as the first. */
export function plainBooleans(values: Buffer, repeated: boolean, pageBytes: number): PageValues {
  return {
    encoding: ENCODING.plain,
    fit: (from) => from + 8 * pageBytes,
    bound: (from, to) => (to - from + 7) >>> 3,
    write(from, to, out, at) {
      let position = at;
      for (let i = from; i < to; i += 8) {
        let byte = 0;
        const end = Math.min(8, to - i);
        for (let bit = 0; bit < end; bit++) byte |= values[repeated ? 0 : i + bit] << bit;
        out[position++] = byte;
      }
      return position;
    },
  };
}

/** Indices into a dictionary of `size` entries; null: all are 0. */
export function dictionaryIndices(indices: Uint16Array | null, size: number, pageBytes: number): PageValues {
  const width = bitWidth(size);
  return {
    encoding: ENCODING.dictionary,
    fit: (from) => from + Math.max(1, pageBytes >>> 1),
    bound: (from, to) => 1 + hybridBound(to - from, width),
    write(from, to, out, at) {
      out[at] = width;
      if (indices === null) return writeRun(0, to - from, width, out, at + 1);
      return writeHybrid(indices, from, to, width, out, at + 1);
    },
  };
}

/** Integers as their steps, which need `width` bits; `words` are the values themselves, int64 as low and high words. */
export function deltaPacked(
  words: Int32Array,
  int64: boolean,
  steps: Float64Array,
  width: number,
  pageBytes: number,
): PageValues {
  return {
    encoding: ENCODING.delta,
    fit: (from) => from + Math.max(1, pageBytes >>> 3),
    bound: (from, to) => deltaBound(to - from, width),
    write(from, to, out, at) {
      // A page without values still has the header that says so.
      const first = from === to ? 0 : int64 ? int64At(words, from) : words[from];
      return writeDelta(first, steps, from, to, out, at);
    },
  };
}
