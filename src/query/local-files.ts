/** Brings what a statement needs to the local disk. Invariant: nothing is fetched before all of it is known to fit. */

import { link, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DeletionVectorRef } from '../compact/delta/actions.ts';
import { decodeVector, vectorPath } from '../compact/delta/deletion-vector.ts';
import type { Lake } from '../lake/lake.ts';
import { TidemarkError } from '../model/error.ts';
import { formatBytes } from '../model/format.ts';
import type { Spool } from '../spool/spool.ts';
import type { NeededFile, QueryTable } from './tables.ts';

/** `files`, `bytes`: of all that there are; `ready`: of them here. */
export type FetchProgress = (done: { files: number; bytes: number; ready: number; readyBytes: number }) => void;

export type LocalTable = {
  table: QueryTable;
  plain: string[];
  vectored: { path: string; vector: DeletionVectorRef }[];
};

export type Places = { lake: Lake; spool: Spool; progress: FetchProgress };

/** `limitBytes`: of the spool. The files stay until `stack` is disposed of. Throws SPOOL_FULL before anything is fetched, LAKE_*. */
export async function bringFiles(
  { lake, spool, progress }: Places,
  needed: readonly { table: QueryTable; files: readonly NeededFile[] }[],
  limitBytes: number,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<LocalTable[]> {
  const all = needed.flatMap(({ files }) => files);
  const bytes = all.reduce((sum, file) => sum + file.bytes, 0);
  const remote = all.length > 0 && lake.localPath(all[0].key) === null;
  if (remote && bytes > limitBytes) throw tooLarge(all.length, bytes, limitBytes);
  const state = { files: all.length, bytes, ready: 0, readyBytes: 0 };
  const bring = async (file: NeededFile) => {
    const local = stack.use(await spool.read(file.key, { bytes: file.bytes }, signal));
    state.ready++;
    state.readyBytes += file.bytes;
    if (remote) progress({ ...state });
    return local.path === lake.localPath(file.key) ? local.path : named(spool, file.key, local.path);
  };
  if (remote) progress({ ...state });
  const tables: LocalTable[] = [];
  for (const { table, files } of needed) {
    const paths = await inParallel(files, bring);
    tables.push({
      table,
      plain: paths.filter((_, i) => files[i].vector === null),
      vectored: files.flatMap(({ vector }, i) => (vector === null ? [] : [{ path: paths[i], vector }])),
    });
  }
  return tables;
}

/** A second name for the spool's copy, which says what the file's path in the lake says. */
async function named(spool: Spool, key: string, path: string): Promise<string> {
  const name = join(filesFolder(spool), key);
  await mkdir(dirname(name), { recursive: true });
  await link(path, name).catch((error) => {
    // A statement may name a table and its history's file twice.
    if (error.code !== 'EEXIST') throw error;
  });
  return name;
}

/** What DuckDB may read beside the tables of a local lake. */
export function filesFolder(spool: Spool): string {
  return spool.path('query');
}

// The spool fetches fewer at once; files of a local lake are only looked at.
const AT_ONCE = 32;

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const i = next++;
      results[i] = await work(items[i]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
  return results;
}

/** The deleted rows of each file, one file's at a time. Throws STAGED_BROKEN, STAGED_UNSUPPORTED, LAKE_*. */
export async function* deletedRows(
  lake: Lake,
  tables: readonly LocalTable[],
  signal: AbortSignal,
): AsyncIterable<number[]> {
  for (const { table, vectored } of tables) {
    // A commit's vectors are in one file, and files of one commit mostly stand side by side.
    let [last, bytes]: [string | null, Buffer | null] = [null, null];
    for (const { vector } of vectored) {
      const path = vectorPath(vector);
      if (path !== last) bytes = path === null ? null : await lake.get(`${table.root}/${path}`, signal);
      last = path;
      yield decodeVector(vector, bytes);
    }
  }
}

function tooLarge(files: number, bytes: number, limitBytes: number): TidemarkError {
  return new TidemarkError(
    'SPOOL_FULL',
    `the statement needs ${files} files of ${bytes} bytes (${formatBytes(bytes)}), and \`spool.limit\` allows ${limitBytes}`,
    { hint: 'ask for less of the key or of time, so that fewer files are needed; or raise `spool.limit`' },
  );
}
