/** How a column's values are written: dictionary, delta or PLAIN. Invariant: what did not pay is left alone for a while, then tried again. */

import type { ColumnData } from './column-data.ts';
import type { Compressor } from './compressor.ts';
import { stepsOfInt32, stepsOfInt64 } from './delta.ts';
import { buildDictionary, type Dictionary } from './dictionary.ts';
import {
  deltaPacked,
  dictionaryIndices,
  type PageValues,
  plainBooleans,
  plainBytes,
  plainFixed,
} from './page-values.ts';
import { type ParquetType, plainWidth } from './schema.ts';
import type { Scratch } from './scratch.ts';

/** Groups before what did not pay is tried again. */
const PATIENCE = 16;
/** Values that decide between PLAIN and delta, and the fewest that can. */
const SAMPLE = 4096;
const SMALLEST_SAMPLE = 64;

export type EncodingOptions = {
  /** What a page's values may take before compression, unless one row alone has more. */
  pageBytes: number;
  /** Neither dictionaries nor deltas, for readers that know neither. */
  plainOnly: boolean;
};

/** Valid until the next choice with the same scratch memory. */
export type Chosen = { values: PageValues; dictionary: Dictionary | null };

export class EncodingChoice {
  readonly #type: ParquetType;
  readonly #compressor: Compressor;
  readonly #scratch: Scratch;
  readonly #options: EncodingOptions;
  /** Groups until a dictionary is tried again. */
  #dictionaryPause = 0;
  /** Whether delta made a sample smaller, and for how many groups that holds. */
  #delta = { pays: false, groups: 0 };

  constructor(type: ParquetType, compressor: Compressor, scratch: Scratch, options: EncodingOptions) {
    this.#type = type;
    this.#compressor = compressor;
    this.#scratch = scratch;
    this.#options = options;
  }

  /** How the values of one group are written. `values` begin at a multiple of eight bytes. */
  choose(values: Buffer, data: ColumnData): Chosen {
    const type = this.#type;
    const { count } = data;
    if (type.physical === 'boolean') {
      return { values: plainBooleans(values, data.repeated === true, this.#options.pageBytes), dictionary: null };
    }
    const dictionary = this.#dictionary(values, data);
    if (dictionary) {
      const indices = dictionary.size === 1 ? null : dictionary.indices;
      return { values: dictionaryIndices(indices, dictionary.size, this.#options.pageBytes), dictionary };
    }
    const delta = this.#deltaValues(values, count);
    if (delta) return { values: delta, dictionary: null };
    const width = plainWidth(type);
    if (width > 0) return { values: plainFixed(values, width, this.#options.pageBytes), dictionary: null };
    return {
      values: plainBytes(values, this.#offsets(values, count), count, this.#options.pageBytes),
      dictionary: null,
    };
  }

  #dictionary(values: Buffer, data: ColumnData): Dictionary | null {
    if (data.count === 0 || this.#options.plainOnly) return null;
    if (data.repeated) {
      const width = plainWidth(this.#type) || 4 + values.readUInt32LE(0);
      return { size: 1, plain: Buffer.from(values.subarray(0, width)), indices: this.#scratch.indices };
    }
    if (this.#dictionaryPause > 0) {
      this.#dictionaryPause--;
      return null;
    }
    const dictionary = buildDictionary(this.#type, values, data.count, this.#scratch);
    if (dictionary === null) this.#dictionaryPause = PATIENCE;
    return dictionary;
  }

  #deltaValues(values: Buffer, count: number): PageValues | null {
    const int64 = this.#type.physical === 'int64';
    if ((!int64 && this.#type.physical !== 'int32') || count < SMALLEST_SAMPLE) return null;
    if (this.#options.plainOnly) return null;
    if (this.#delta.groups > 0 && !this.#delta.pays) {
      this.#delta.groups--;
      return null;
    }
    const words = new Int32Array(values.buffer, values.byteOffset, int64 ? 2 * count : count);
    const steps = this.#scratch.numbersFor(count);
    const width = int64 ? stepsOfInt64(words, count, steps) : stepsOfInt32(words, count, steps);
    if (width < 0) return null;
    const delta = deltaPacked(words, int64, steps, width, this.#options.pageBytes);
    if (this.#delta.groups === 0) this.#delta = { pays: this.#deltaPays(delta, values, count), groups: PATIENCE };
    this.#delta.groups--;
    return this.#delta.pays ? delta : null;
  }

  /** Tries both on a sample, as compressed: zstd finds much of what delta finds. */
  #deltaPays(delta: PageValues, values: Buffer, count: number): boolean {
    const sample = Math.min(count, SAMPLE);
    const packed = Buffer.allocUnsafe(delta.bound(0, sample));
    const size = delta.write(0, sample, packed, 0);
    const plain = values.subarray(0, sample * plainWidth(this.#type));
    // A tenth at least, because readers unpack PLAIN faster.
    return this.#compressor.compressedSize(packed.subarray(0, size)) < 0.9 * this.#compressor.compressedSize(plain);
  }

  #offsets(values: Buffer, count: number): Float64Array {
    const offsets = this.#scratch.offsetsFor(count + 1);
    const view = new DataView(values.buffer, values.byteOffset, values.length);
    let at = 0;
    for (let i = 0; i < count; i++) {
      offsets[i] = at;
      at += 4 + view.getUint32(at, true);
    }
    offsets[count] = at;
    return offsets;
  }
}
