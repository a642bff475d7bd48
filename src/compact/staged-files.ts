/** Writes a staged table's data files. Invariant: a file is whole and durable in the lake before its `add` is handed out. */

import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { DuckConnection } from '../duckdb/duck.ts';
import { text, texts } from '../duckdb/literal.ts';
import type { AddFile, DeltaColumn } from './delta/actions.ts';
import { fileStatistics, type WrittenFile } from './delta/file-statistics.ts';
import { boundTags } from './exact-bounds.ts';
import type { EngineDeps } from './work.ts';

export type FileOptions = {
  root: string;
  columns: DeltaColumn[];
  key: string[];
  /** A file ends with the row group that makes it this large. */
  fileBytes: number;
  /** Uncompressed, about. */
  rowBytes: number;
  dataChange: boolean;
};

const GROUP_ROWS = 40_960;
/** DuckDB holds a row group until it is written, twice while it compresses it. */
const GROUP_BYTES = 16 * 2 ** 20;
const VECTOR = 2_048;

type Written = WrittenFile & { file_size_bytes: bigint };

/** Runs `select` (which names its columns as the table does) into files of the lake; none where it has no rows. */
export async function writeFiles(
  deps: EngineDeps,
  connection: DuckConnection,
  select: string,
  options: FileOptions,
  signal: AbortSignal,
): Promise<AddFile[]> {
  await using folder = await outputFolder(deps);
  return await landFiles(
    deps,
    connection,
    await copyFiles(connection, folder.path, select, options, signal),
    options,
    signal,
  );
}

/**
 * The same for rows in the order of their key, of a whole table or a part of it. The last ones, which are the newest where keys grow, come into files
 * that are each half as large as the one before: changes among the newest rows then write a small file again, not a large one.
 */
export async function writeSorted(
  deps: EngineDeps,
  connection: DuckConnection,
  select: string,
  options: FileOptions,
  signal: AbortSignal,
): Promise<AddFile[]> {
  await using folder = await outputFolder(deps);
  const files = await copyFiles(connection, folder.path, select, options, signal);
  const from = tailOf(
    files.map((file) => Number(file.file_size_bytes)),
    options.fileBytes,
  );
  const tail = files.slice(from);
  const bytes = tail.reduce((sum, file) => sum + Number(file.file_size_bytes), 0);
  const rows = tail.reduce((sum, file) => sum + Number(file.count), 0);
  const kept = files.slice(0, from);
  for (const [first, last] of halves(rows, bytes)) {
    // Files of one statement are read in their order, on one thread.
    const part = `SELECT * EXCLUDE (_tidemark_row) FROM (SELECT *, row_number() OVER () AS _tidemark_row FROM read_parquet(${texts(tail.map(({ filename }) => filename))}))
      WHERE _tidemark_row > ${first} AND _tidemark_row <= ${last}`;
    kept.push(...(await copyFiles(connection, path.join(folder.path, `tail-${first}`), part, options, signal)));
  }
  return await landFiles(deps, connection, kept, options, signal);
}

/** Where the tail begins: the last files, as many as make half a file. */
function tailOf(sizes: number[], fileBytes: number): number {
  let from = sizes.length;
  for (let bytes = 0; from > 0 && bytes < fileBytes / 2; ) bytes += sizes[--from];
  return from;
}

const SMALLEST_TAIL = 2 ** 20;

/** Ranges of rows, each half of what is left, until a part is a megabyte. */
function halves(rows: number, bytes: number): [number, number][] {
  const ranges: [number, number][] = [];
  let first = 0;
  for (let left = bytes; left > 2 * SMALLEST_TAIL; left /= 2) {
    const last = first + Math.ceil((rows - first) / 2);
    ranges.push([first, last]);
    first = last;
  }
  if (first < rows) ranges.push([first, rows]);
  return ranges;
}

async function outputFolder(deps: EngineDeps): Promise<{ path: string } & AsyncDisposable> {
  const folder = deps.spool.path(`out-${randomUUID()}`);
  await mkdir(folder);
  return { path: folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

async function copyFiles(
  connection: DuckConnection,
  folder: string,
  select: string,
  { fileBytes, rowBytes }: FileOptions,
  signal: AbortSignal,
): Promise<Written[]> {
  const sql = `COPY (${select}) TO ${text(folder)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1,
    ROW_GROUP_SIZE ${groupRows(rowBytes)}, FILE_SIZE_BYTES ${fileBytes}, FILENAME_PATTERN 'f{i}', RETURN_STATS)`;
  const written = await connection.rows<Written>(sql, signal);
  return written.filter(({ count }) => count > 0n);
}

async function landFiles(
  deps: EngineDeps,
  connection: DuckConnection,
  written: Written[],
  { root, columns, key, dataChange }: FileOptions,
  signal: AbortSignal,
): Promise<AddFile[]> {
  const adds: AddFile[] = [];
  for (const file of written) {
    await deps.step('file-written');
    const stats = await fileStatistics(connection, file, columns, key, signal);
    const tags = boundTags(columns, key, file);
    const name = `${randomUUID()}.parquet`;
    await deps.spool.land(file.filename, `${root}/${name}`, signal);
    await deps.step('file-landed');
    adds.push({
      path: name,
      partitionValues: {},
      size: Number(file.file_size_bytes),
      modificationTime: deps.clock(),
      dataChange,
      stats,
      deletionVector: null,
      ...(tags ? { tags } : {}),
    });
  }
  return adds;
}

/** Rows of a row group: fewer where rows are wide. A multiple of DuckDB's vectors. */
function groupRows(rowBytes: number): number {
  const rows = Math.min(GROUP_ROWS, GROUP_BYTES / Math.max(1, rowBytes));
  return Math.max(VECTOR, Math.floor(rows / VECTOR) * VECTOR);
}

/** Removes files that no log names: those of a commit that lost a race. Never throws; vacuum takes what stays. */
export async function discardFiles(
  deps: EngineDeps,
  root: string,
  adds: AddFile[],
  signal: AbortSignal,
): Promise<void> {
  const keys = adds.map((add) => path.posix.join(root, add.path));
  await deps.lake.delete(keys, signal).catch((error) => {
    deps.log.warn({ err: error, files: keys.length }, 'files of a lost commit stay until the next vacuum');
  });
}
