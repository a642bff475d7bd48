/** Encodes row groups. Invariant: the columns' buffers are the caller's again as soon as `encode` has returned its promise. */

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

/** Lives as long as a table's export: it remembers which columns a dictionary or the delta encoding does not pay for. */
export class RowGroupEncoder {
  readonly #columns: ColumnEncoder[];

  constructor(columns: readonly ParquetColumn[], compressor: Compressor, options: Partial<EncodingOptions> = {}) {
    const scratch = new Scratch();
    const { pageBytes = PAGE_BYTES, plainOnly = false } = options;
    this.#columns = columns.map((column) => new ColumnEncoder(column, compressor, scratch, { pageBytes, plainOnly }));
  }

  /**
   * One group of at least one row, `columns` in the schema's order. All of `columns` is read before this returns; the promise resolves
   * when compression is done. Several may be under way, each file's groups being appended in order by the caller. Throws INTERNAL when
   * counts, levels and bytes of a column contradict each other.
   */
  async encode(rows: number, columns: readonly ColumnData[]): Promise<EncodedRowGroup> {
    const pending = columns.map((data, i) => this.#columns[i].encode(data, rows));
    const chunks = await Promise.all(pending);
    return { rows, chunks, bytes: chunks.reduce((sum, chunk) => sum + chunk.compressed, 0) };
  }
}
