/** One column's chunks: lays out pages and has them compressed. Invariant: `encode` has read its input when it returns. */

import { TidemarkError } from '../model/error.ts';
import type { ColumnData } from './column-data.ts';
import type { Codec, Compressor } from './compressor.ts';
import { type Chosen, EncodingChoice, type EncodingOptions } from './encoding-choice.ts';
import { Levels } from './levels.ts';
import { dataPageHeader, dictionaryPageHeader, type Encoding } from './page-header.ts';
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

/** No less room than this for the compressed bytes: of values that suddenly compress badly each chunk would be a trip. */
const LEAST_RATIO = 1 / 8;

/** A page's body in a buffer that may be longer. */
type Page = { buffer: Buffer; size: number; slots: number };

export class ColumnEncoder {
  readonly column: ParquetColumn;
  readonly #compressor: Compressor;
  readonly #choice: EncodingChoice;
  readonly #writer = new ThriftWriter(64);
  /** How much of a page its compressed bytes will hardly exceed, by the page before: room for all of it is ten times too much. */
  #ratio = 1;

  constructor(column: ParquetColumn, compressor: Compressor, scratch: Scratch, options: EncodingOptions) {
    this.column = column;
    this.#compressor = compressor;
    this.#choice = new EncodingChoice(column.type, compressor, scratch, options);
  }

  /** The chunk of one row group, at once when its pages are small. Throws INTERNAL when `data` contradicts itself. */
  encode(data: ColumnData, rows: number): EncodedChunk | Promise<EncodedChunk> {
    const levels = new Levels(this.column, data, rows);
    const values = this.#aligned(data);
    const plan = this.#choice.choose(values, data);
    const stats = this.column.stats ? this.#statistics(values, data, plan, levels.slots) : null;
    const pages = this.#layOut(plan, levels, data.count);
    const total = pages.reduce((sum, page) => sum + page.size, 0);
    const codec = total < STORED ? 'none' : this.#compressor.codec;
    const bodies = pages.map((page) =>
      this.#compressor.compress(page.buffer, page.size, codec, Math.ceil(page.size * this.#ratio)),
    );
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

  #statistics(values: Buffer, data: ColumnData, plan: Chosen, slots: number): Statistics {
    const { type } = this.column;
    const nulls = slots - data.count;
    if (data.repeated) return { nulls, ...boundsOf(type, values, Math.min(1, data.count)) };
    const { dictionary } = plan;
    // The entries of a dictionary have the bounds of its values, in fewer steps.
    return { nulls, ...boundsOf(type, dictionary?.plain ?? values, dictionary?.size ?? data.count) };
  }

  #layOut(plan: Chosen, levels: Levels, count: number): Page[] {
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
      this.#ratio = Math.min(1, Math.max(LEAST_RATIO, (1.25 * body.length) / Math.max(size, 1)));
      chunk.uncompressed += header.length + size;
      chunk.compressed += header.length + body.length;
      if (dictionary && i === 0) chunk.dictionaryBytes = header.length + body.length;
    }
    return chunk;
  }
}
