/** Row groups of keys as one Parquet file on the local disk. Invariant: the spool has room for what is written, or SPOOL_FULL is thrown. */

import { type FileHandle, open } from 'node:fs/promises';
import type { RowGroup } from '../export/group-reader.ts';
import type { Compressor } from '../parquet/compressor.ts';
import { ParquetFile } from '../parquet/file.ts';
import { RowGroupEncoder } from '../parquet/row-group.ts';
import type { ParquetColumn } from '../parquet/schema.ts';
import type { Spool } from '../spool/spool.ts';

export class KeyFile implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #file: ParquetFile;
  readonly #encoder: RowGroupEncoder;
  readonly #spool: Pick<Spool, 'reserve'>;
  /** Groups are written one after another. */
  #last: Promise<void>;

  private constructor(
    handle: FileHandle,
    spool: Pick<Spool, 'reserve'>,
    columns: ParquetColumn[],
    compressor: Compressor,
  ) {
    this.#handle = handle;
    this.#spool = spool;
    this.#file = new ParquetFile(columns, { createdBy: 'tidemark' });
    this.#encoder = new RowGroupEncoder(columns, compressor);
    this.#last = this.#put([this.#file.start()]);
    this.#last.catch(() => {});
  }

  /** A new file at `path`. */
  static async create(
    path: string,
    spool: Pick<Spool, 'reserve'>,
    columns: ParquetColumn[],
    compressor: Compressor,
  ): Promise<KeyFile> {
    return new KeyFile(await open(path, 'wx'), spool, columns, compressor);
  }

  /** Resolves once the group is written. */
  write(group: RowGroup): Promise<void> {
    const before = this.#last;
    this.#last = (async () => {
      await before;
      const encoded = this.#encoder.encode(group.rows, group.columns);
      // Without turns every buffer was read by now.
      for (const i of group.columns.keys()) group.release(i);
      await this.#put(this.#file.append(await encoded));
    })();
    // A failure reaches whoever awaits this write; the chain itself must not end the process.
    this.#last.catch(() => {});
    return this.#last;
  }

  /** Ends the file; resolves once it is whole. */
  async finish(): Promise<void> {
    await this.#last;
    await this.#put([this.#file.finish()]);
  }

  async #put(parts: Buffer[]): Promise<void> {
    using _ = await this.#spool.reserve(parts.reduce((sum, { length }) => sum + length, 0));
    for (const part of parts) await this.#handle.write(part);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {});
    await this.#handle.close();
  }
}
