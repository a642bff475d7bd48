/** One column's chunks: chooses the encoding, lays out pages, has them compressed. Invariant: `encode` has read its input when it returns. */

import { TidemarkError } from '../model/error.ts';
import type { ColumnData } from './column-data.ts';
import type { Codec, Compressor } from './compressor.ts';
import { stepsOfInt32, stepsOfInt64 } from './delta.ts';
import { buildDictionary, type Dictionary } from './dictionary.ts';
import { Levels } from './levels.ts';
import { dataPageHeader, dictionaryPageHeader, type Encoding } from './page-header.ts';
import {
  deltaPacked,
  dictionaryIndices,
  type PageValues,
  plainBooleans,
  plainBytes,
  plainFixed,
} from './page-values.ts';
import { type ParquetColumn, plainWidth } from './schema.ts';
import type { Scratch } from './scratch.ts';
import { boundsOf, type Statistics } from './statistics.ts';
import { ThriftWriter } from './thrift-writer.ts';

/** Sizes in page headers are signed 32-bit numbers. */
const MOST_PAGE_BYTES = 0x7fffffff;
/** So that rows without values do not gather in one page without end. */
const MOST_PAGE_SLOTS = 1 << 20;
/** A chunk of fewer bytes is stored as it is: a frame of zstd's would cost more time and bytes than it saves. */
const STORED = 256;
/** Groups before what did not pay is tried again. */
const PATIENCE = 16;
/** Values that decide between PLAIN and delta, and the fewest that can. */
const SAMPLE = 4096;
const SMALLEST_SAMPLE = 64;

export type EncodedChunk = {
  /** Header, body, header, body …: the dictionary's page if there is one, then the data pages. */
  parts: Buffer[];
  codec: Codec;
  /** Of the values in data pages; a dictionary itself is PLAIN. */
  encoding: Encoding;
  /** Bytes of the dictionary's page with its header; 0 without one. */
  dictionaryBytes: number;
  dataPages: number;
  /** Rows of a flat column; of a list: elements, empty lists and null lists. */
  slots: number;
  /** Values that are not null. */
  values: number;
  /** Bytes with the pages' headers. */
  uncompressed: number;
  compressed: number;
  /** Null when the column keeps none. */
  stats: Statistics | null;
};

export type EncodingOptions = {
  /** What a page's values may take before compression, unless one row alone has more. */
  pageBytes: number;
  /** Neither dictionaries nor deltas, for readers that know neither. */
  plainOnly: boolean;
};

/** A page's body in a buffer that may be longer. */
type Page = { buffer: Buffer; size: number; slots: number };

type Plan = { values: PageValues; dictionary: Dictionary | null };

export class ColumnEncoder {
  readonly column: ParquetColumn;
  readonly #compressor: Compressor;
  readonly #scratch: Scratch;
  readonly #options: EncodingOptions;
  readonly #writer = new ThriftWriter(64);
  /** Groups until a dictionary is tried again. */
  #dictionaryPause = 0;
  /** Whether delta made a sample smaller, and for how many groups that holds. */
  #delta = { pays: false, groups: 0 };

  constructor(column: ParquetColumn, compressor: Compressor, scratch: Scratch, options: EncodingOptions) {
    this.column = column;
    this.#compressor = compressor;
    this.#scratch = scratch;
    this.#options = options;
  }

  /** The chunk of one row group, at once when its pages are small. Throws INTERNAL when `data` contradicts itself. */
  encode(data: ColumnData, rows: number): EncodedChunk | Promise<EncodedChunk> {
    const levels = new Levels(this.column, data, rows);
    const values = this.#aligned(data);
    const plan = this.#plan(values, data);
    const stats = this.column.stats ? this.#statistics(values, data, plan, levels.slots) : null;
    const pages = this.#layOut(plan, levels, data.count);
    const total = pages.reduce((sum, page) => sum + page.size, 0);
    const codec = total < STORED ? 'none' : this.#compressor.codec;
    const bodies = pages.map((page) => this.#compressor.compress(page.buffer, page.size, codec));
    const chunk: EncodedChunk = {
      parts: [],
      codec,
      encoding: plan.values.encoding,
      dictionaryBytes: 0,
      dataPages: pages.length - (plan.dictionary ? 1 : 0),
      slots: levels.slots,
      values: data.count,
      uncompressed: 0,
      compressed: 0,
      stats,
    };
    const finish = (compressed: Buffer[]) => this.#assemble(chunk, pages, compressed, plan.dictionary !== null);
    const later = bodies.some((body) => body instanceof Promise);
    return later ? Promise.all(bodies).then(finish) : finish(bodies as Buffer[]);
  }

  /** The values where typed arrays can lie over them. */
  #aligned(data: ColumnData): Buffer {
    const { values, count } = data;
    const width = plainWidth(this.column.type);
    const needed = (data.repeated ? Math.min(1, count) : count) * (width || 4);
    if (values.length < needed) {
      throw new TidemarkError(
        'INTERNAL',
        `${count} values of column ${this.column.name} do not fit ${values.length} bytes`,
      );
    }
    if (values.byteOffset % 8 === 0) return values;
    const copy = Buffer.allocUnsafeSlow(values.length);
    values.copy(copy);
    return copy;
  }

  #plan(values: Buffer, data: ColumnData): Plan {
    const { type } = this.column;
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
      const width = plainWidth(this.column.type) || 4 + values.readUInt32LE(0);
      return { size: 1, plain: Buffer.from(values.subarray(0, width)), indices: this.#scratch.indices };
    }
    if (this.#dictionaryPause > 0) {
      this.#dictionaryPause--;
      return null;
    }
    const dictionary = buildDictionary(this.column.type, values, data.count, this.#scratch);
    if (dictionary === null) this.#dictionaryPause = PATIENCE;
    return dictionary;
  }

  #deltaValues(values: Buffer, count: number): PageValues | null {
    const int64 = this.column.type.physical === 'int64';
    if ((!int64 && this.column.type.physical !== 'int32') || count < SMALLEST_SAMPLE) return null;
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
    const plain = values.subarray(0, sample * plainWidth(this.column.type));
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

  #statistics(values: Buffer, data: ColumnData, plan: Plan, slots: number): Statistics {
    const { type } = this.column;
    const nulls = slots - data.count;
    if (data.repeated) return { nulls, ...boundsOf(type, values, Math.min(1, data.count)) };
    const { dictionary } = plan;
    // The entries of a dictionary have the bounds of its values, in fewer steps.
    return { nulls, ...boundsOf(type, dictionary?.plain ?? values, dictionary?.size ?? data.count) };
  }

  #layOut(plan: Plan, levels: Levels, count: number): Page[] {
    const pages: Page[] = [];
    if (plan.dictionary) {
      const { plain, size } = plan.dictionary;
      const buffer = this.#compressor.page(plain.length);
      plain.copy(buffer);
      pages.push({ buffer, size: plain.length, slots: size });
    }
    let value = 0;
    for (let slot = 0; slot < levels.slots; ) {
      const fit = plan.values.fit(value);
      const wanted = fit >= count ? levels.slots : levels.reach(slot, fit - value);
      const slotEnd = levels.cut(slot, Math.min(wanted, slot + MOST_PAGE_SLOTS));
      const valueEnd = value + levels.values(slot, slotEnd);
      const most = levels.bound(slot, slotEnd) + plan.values.bound(value, valueEnd);
      if (most > MOST_PAGE_BYTES) {
        throw new TidemarkError(
          'INTERNAL',
          `a row of column ${this.column.name} takes ${most} bytes: a page holds 2 GiB`,
        );
      }
      const buffer = this.#compressor.page(most);
      const size = plan.values.write(value, valueEnd, buffer, levels.write(slot, slotEnd, buffer, 0));
      pages.push({ buffer, size, slots: slotEnd - slot });
      slot = slotEnd;
      value = valueEnd;
    }
    if (value !== count) {
      throw new TidemarkError('INTERNAL', `column ${this.column.name} has ${count} values, its levels say ${value}`);
    }
    return pages;
  }

  #assemble(chunk: EncodedChunk, pages: Page[], bodies: Buffer[], dictionary: boolean): EncodedChunk {
    for (let i = 0; i < pages.length; i++) {
      const { slots, size } = pages[i];
      const body = bodies[i];
      const header =
        dictionary && i === 0
          ? dictionaryPageHeader(this.#writer, slots, size, body.length)
          : dataPageHeader(this.#writer, slots, chunk.encoding, size, body.length);
      chunk.parts.push(header, body);
      chunk.uncompressed += header.length + size;
      chunk.compressed += header.length + body.length;
      if (dictionary && i === 0) chunk.dictionaryBytes = header.length + body.length;
    }
    return chunk;
  }
}
