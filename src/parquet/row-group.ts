/** Encodes row groups. Invariant: a column's buffers are read once, and are the caller's again before anything is compressed. */

import type { ColumnData } from './column-data.ts';
import { ColumnEncoder, type EncodedChunk } from './column-encoder.ts';
import type { Compressor } from './compressor.ts';
import type { EncodingOptions } from './encoding-choice.ts';
import { PAGE_BYTES } from './page-values.ts';
import type { ParquetColumn } from './schema.ts';
import { Scratch } from './scratch.ts';

export type EncodedRowGroup = {
  rows: number;
  /** One a column, in the schema's order. */
  chunks: EncodedChunk[];
  /** What it adds to the file before the footer. */
  bytes: number;
};

/** Lets others work between the columns of a group. */
export type Turns = {
  /** Column `i`'s buffers are the caller's again. */
  read(i: number): void;
  /** Resolves once others had their turn. */
  pause(): Promise<void>;
};

/** After so long the next column waits for a pause: a whole group takes 60 ms, in which a fast sender's socket runs full. */
const SLICE_MS = 3;

/** Lives as long as a table's export: it remembers which columns a dictionary or the delta encoding does not pay for. */
export class RowGroupEncoder {
  readonly #columns: ColumnEncoder[];

  constructor(columns: readonly ParquetColumn[], compressor: Compressor, options: Partial<EncodingOptions> = {}) {
    const scratch = new Scratch();
    const { pageBytes = PAGE_BYTES, plainOnly = false } = options;
    this.#columns = columns.map((column) => new ColumnEncoder(column, compressor, scratch, { pageBytes, plainOnly }));
  }

  /**
   * One group of at least one row, `columns` in the schema's order; the promise resolves when compression is done. Several may be under
   * way, each file's groups being appended in order by the caller. Without `turns` all of `columns` is read before this returns. Throws
   * INTERNAL when counts, levels and bytes of a column contradict each other.
   */
  async encode(rows: number, columns: readonly ColumnData[], turns?: Turns): Promise<EncodedRowGroup> {
    const pending: (EncodedChunk | Promise<EncodedChunk>)[] = [];
    let began = performance.now();
    for (const [i, data] of columns.entries()) {
      const chunk = this.#columns[i].encode(data, rows);
      // It is waited for below, which a failure during a pause would not know.
      if (chunk instanceof Promise) chunk.catch(() => {});
      pending.push(chunk);
      turns?.read(i);
      if (!turns || performance.now() - began < SLICE_MS) continue;
      await turns.pause();
      began = performance.now();
    }
    const chunks = await Promise.all(pending);
    return { rows, chunks, bytes: chunks.reduce((sum, chunk) => sum + chunk.compressed, 0) };
  }
}
