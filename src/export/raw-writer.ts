/**
 * Writes a run's row groups to raw files. Invariant: nothing that it writes is visible until the run is prepared and its
 * uploads are completed; files come in the order of the rows.
 */

import { setImmediate as pause } from 'node:timers/promises';
import type { Lake, Upload, UploadOwner } from '../lake/lake.ts';
import type { Micros } from '../model/mark.ts';
import { type Bounds, type RawFile, rawKey } from '../model/run.ts';
import type { Compressor } from '../parquet/compressor.ts';
import { ParquetFile } from '../parquet/file.ts';
import { type EncodedRowGroup, RowGroupEncoder } from '../parquet/row-group.ts';
import type { ParquetColumn } from '../parquet/schema.ts';
import { constantColumn } from '../postgres/builders/fixed.ts';
import { boundText } from './bound-text.ts';
import type { RowGroup } from './group-reader.ts';

/** The run as planned in the state store. */
export type PlannedRun = { run: bigint; prefix: string };

export type RawWriterOptions = {
  lake: Lake;
  compressor: Compressor;
  /** From parquetColumns(): the plan's columns, then what tidemark adds. */
  columns: ParquetColumn[];
  /** Lake names of the columns whose bounds go into the manifest: key and cursor. */
  bounded: string[];
  fileBytes: number;
  /** Without any row, write one file that has none: what a whole table's run leaves when the table is empty. */
  evenEmpty: boolean;
  at: Micros;
  /** Into each file's footer. */
  metadata: (run: bigint) => Record<string, string>;
  createdBy: string;
  token: bigint;
  /** For writers that share one run: what it has learned of the columns holds for all. By default each has its own. */
  encoder?: RowGroupEncoder;
  /** The next file's number within the run, for writers that share one; by default each counts for itself. */
  nextPart?: () => number;
  /** Plans the run; called once, with the first rows: a run without any leaves nothing to recover. */
  plan: () => Promise<PlannedRun>;
  step: (name: string) => Promise<void>;
  signal: AbortSignal;
};

type OpenFile = { part: number; key: string; file: ParquetFile; upload: Upload };

export class RawWriter {
  readonly #options: RawWriterOptions;
  readonly #encoder: RowGroupEncoder;
  readonly #files: RawFile[] = [];
  #planned: Promise<PlannedRun> | null = null;
  #run: bigint | null = null;
  /** Resolves once the group before is read. */
  #reading: Promise<void> | null = null;
  #open: OpenFile | null = null;
  #parts = 0;
  /** The group before: groups are encoded at the same time, but written one after another. */
  #last: Promise<void> = Promise.resolve();
  #failed = false;

  constructor(options: RawWriterOptions) {
    this.#options = options;
    this.#encoder = options.encoder ?? new RowGroupEncoder(options.columns, options.compressor);
  }

  /** Resolves once the group's bytes are on their way; groups may overlap. Each column is released as early as possible. */
  write(group: RowGroup): Promise<void> {
    this.#planned ??= this.#plan();
    const encoded = this.#encode(group);
    const before = this.#last;
    this.#last = (async () => {
      const ready = await encoded;
      await before;
      await this.#append(ready);
    })();
    // A failure reaches whoever awaits this write; the chain itself must not end the process.
    this.#last.catch(() => {});
    return this.#last;
  }

  async #plan(): Promise<PlannedRun> {
    const planned = await this.#options.plan();
    this.#run = planned.run;
    return planned;
  }

  /** One group's columns after another's: two groups that take turns would both hold all their buffers until the end. */
  async #encode(group: RowGroup): Promise<EncodedRowGroup> {
    const before = this.#reading;
    const { promise, resolve: allRead } = Promise.withResolvers<void>();
    this.#reading = promise;
    try {
      if (before) await before;
      const run = this.#run ?? (await this.#planned!).run;
      const added = [longPlain(run), UPSERT, longPlain(this.#options.at)];
      const columns = [...group.columns, ...added.map((plain) => constantColumn(plain, group.rows))];
      const read = (i: number) => {
        if (i < group.columns.length) group.release(i);
        else if (i === columns.length - 1) allRead();
      };
      return await this.#encoder.encode(group.rows, columns, { read, pause });
    } finally {
      allRead();
    }
  }

  async #append(group: EncodedRowGroup): Promise<void> {
    if (this.#failed) return;
    const open = this.#open ?? (await this.#start());
    for (const part of open.file.append(group)) await open.upload.write(part);
    if (open.file.bytes >= this.#options.fileBytes) await this.#finishFile();
  }

  async #start(): Promise<OpenFile> {
    const { lake, columns, createdBy, metadata, token, signal } = this.#options;
    const { run, prefix } = await this.#planned!;
    const part = this.#options.nextPart?.() ?? this.#parts;
    this.#parts++;
    const key = rawKey(prefix, part);
    const owner: UploadOwner = { run, token };
    const upload = await lake.startUpload(key, owner, signal);
    const file = new ParquetFile(columns, { createdBy, metadata: metadata(run) });
    this.#open = { part, key, file, upload };
    await this.#options.step('upload-started');
    await upload.write(file.start());
    return this.#open;
  }

  async #finishFile(): Promise<void> {
    const { part, file, upload } = this.#open!;
    await upload.write(file.finish());
    const prepared = await upload.finish();
    this.#open = null;
    this.#files.push({ ...prepared, part, rows: Number(file.rows), bounds: this.#bounds(file) });
    await this.#options.step('file-uploaded');
  }

  #bounds(file: ParquetFile): Record<string, Bounds> {
    const result: Record<string, Bounds> = {};
    for (const name of this.#options.bounded) {
      const bounds = file.bounds(name);
      const column = this.#options.columns.find((c) => c.name === name)!;
      if (bounds) result[name] = { min: boundText(column.type, bounds.min), max: boundText(column.type, bounds.max) };
    }
    return result;
  }

  /** Ends the last file. Null when there was no row, and none was wanted: then nothing was planned. */
  async finish(): Promise<{ planned: PlannedRun; files: RawFile[] } | null> {
    await this.#last;
    if (!this.#planned && !this.#options.evenEmpty) return null;
    this.#planned ??= this.#plan();
    const planned = await this.#planned;
    if (this.#parts === 0) await this.#start();
    if (this.#open) await this.#finishFile();
    return { planned, files: this.#files };
  }

  /** Gives up what is open; what was uploaded falls to the run's recovery. Never throws. Returns the run if it was planned. */
  async abort(): Promise<PlannedRun | null> {
    this.#failed = true;
    await this.#last.catch(() => {});
    await this.#open?.upload.abort();
    return (await this.#planned?.catch(() => null)) ?? null;
  }

  /** As abort(), and what was uploaded goes too: for a part of a run whose rest stays. Never throws. */
  async discard(signal: AbortSignal): Promise<void> {
    await this.abort();
    for (const { key, upload } of this.#files)
      await this.#options.lake.abortUpload(key, upload, signal).catch(() => {});
  }
}

function longPlain(value: bigint): Buffer {
  const plain = Buffer.alloc(8);
  plain.writeBigInt64LE(value);
  return plain;
}

const UPSERT = Buffer.from([1, 0, 0, 0, 'u'.charCodeAt(0)]);
