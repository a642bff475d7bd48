/**
 * The keys that a staged table holds, as Parquet files in the spool. Invariant: rows that a deletion vector deletes are not among them;
 * no more of the table's files are in the spool at once than a batch.
 */

import { join } from 'node:path';
import type { Snapshot } from '../compact/delta/actions.ts';
import { emptyGone, type LiveFile, liveFiles } from '../compact/live-files.ts';
import { loadVectors } from '../compact/vectors.ts';
import type { EngineDeps } from '../compact/work.ts';
import type { DuckConnection } from '../duckdb/duck.ts';
import { ident, text, texts } from '../duckdb/literal.ts';

export type StagedKeys = { paths: string[]; rows: bigint };

/** Writes the columns `key`, named k0, k1 …, to files in `folder`. Throws SPOOL_FULL, LAKE_*. */
export async function readStagedKeys(
  deps: EngineDeps,
  { root, snapshot, key, folder }: { root: string; snapshot: Snapshot; key: string[]; folder: string },
  onRows: (rows: bigint) => void,
  signal: AbortSignal,
): Promise<StagedKeys> {
  const [connection] = deps.connections;
  const files = liveFiles(snapshot.files.values(), snapshot.metadata.columns, key);
  await emptyGone(connection, signal);
  await loadVectors(deps.lake, connection, root, files, signal);
  const found: StagedKeys = { paths: [], rows: 0n };
  for (const batch of batches(files, deps.batchBytes)) {
    await using stack = new AsyncDisposableStack();
    const paths: string[] = [];
    for (const { path, size } of batch) {
      const copy = stack.use(await deps.spool.read(`${root}/${path}`, { bytes: size }, signal));
      paths.push(copy.path);
    }
    // What was written so far is counted, and refused where it is too much.
    using _ = await deps.spool.reserve(0);
    const to = join(folder, `staged-${found.paths.length}.parquet`);
    found.rows += await copyKeys(connection, selectOf(batch, paths, key), to, signal);
    found.paths.push(to);
    onRows(found.rows);
  }
  await connection.run('DROP TABLE gone', signal);
  return found;
}

/** Files without deletion vectors, as many as have room in the spool; those with one each by itself. */
function batches(files: LiveFile[], mostBytes: number): LiveFile[][] {
  const result: LiveFile[][] = [];
  let bytes = 0;
  for (const file of files.filter(({ deletionVector }) => deletionVector === null)) {
    if (result.length === 0 || bytes + file.size > mostBytes) {
      result.push([]);
      bytes = 0;
    }
    result.at(-1)!.push(file);
    bytes += file.size;
  }
  return [...result, ...files.filter(({ deletionVector }) => deletionVector !== null).map((file) => [file])];
}

function selectOf([{ file, deletionVector }]: LiveFile[], paths: string[], key: string[]): string {
  const columns = key.map((name, i) => `f.${ident(name)} AS k${i}`).join(', ');
  const numbered = deletionVector ? ', file_row_number = true' : '';
  const gone = deletionVector
    ? `ANTI JOIN (SELECT "row" FROM gone WHERE file = ${file}) g ON g."row" = f.file_row_number`
    : '';
  // A NULL (of another writer) is no key: a delete of it would stop every compaction.
  const given = key.map((name) => `f.${ident(name)} IS NOT NULL`).join(' AND ');
  return `SELECT ${columns} FROM read_parquet(${texts(paths)}, hive_partitioning = false${numbered}) f ${gone} WHERE ${given}`;
}

/** Runs the select into a local file; how many rows that were. */
export async function copyKeys(
  connection: DuckConnection,
  select: string,
  to: string,
  signal: AbortSignal,
): Promise<bigint> {
  const sql = `COPY (${select}) TO ${text(to)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)`;
  const [{ Count }] = await connection.rows<{ Count: bigint }>(sql, signal);
  return Count;
}
