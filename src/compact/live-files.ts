/**
 * A table's live files, as DuckDB tables: `live` (their key ranges, from the log) and `gone` (rows that deletion vectors delete).
 * A file's number is its place in `files`.
 */

import { BIGINT, DuckDBDataChunk, type DuckDBType, INTEGER } from '@duckdb/node-api';
import type { DuckConnection } from '../duckdb/duck.ts';
import { text } from '../duckdb/literal.ts';
import type { AddFile, DeltaColumn } from './delta/actions.ts';
import { parseStatistics, type Statistics } from './delta/statistics.ts';
import { withExactBounds } from './exact-bounds.ts';
import { keyIndexes } from './read-files.ts';
import type { Staging } from './staging.ts';
import { duckTypeOf } from './types.ts';

export type LiveFile = AddFile & { file: number; rows: number; statistics: Statistics | null };

/** Numbers the files. A file without statistics (of another writer) may hold any key. */
export function liveFiles(adds: Iterable<AddFile>, columns: DeltaColumn[], key: string[]): LiveFile[] {
  return [...adds].map((add, file) => {
    const statistics = withExactBounds(parseStatistics(add.stats, columns), key, add);
    return { ...add, file, rows: statistics?.rows ?? 0, statistics };
  });
}

/** Makes the table `live`: file, min0, max0, min1 … of the key's columns; NULL: not known. Bounds may be wider than the values. */
export async function loadLive(
  connection: DuckConnection,
  files: LiveFile[],
  { columns, key }: { columns: DeltaColumn[]; key: string[] },
  signal: AbortSignal,
): Promise<void> {
  const types = keyIndexes(columns, key).map((i) => duckTypeOf(columns[i].type));
  const bounds = types.map((type, i) => `min${i} ${type}, max${i} ${type}`);
  await connection.run(`CREATE OR REPLACE TABLE live (file INTEGER, ${bounds.join(', ')})`, signal);
  const bound = (value: string | undefined) => (value === undefined ? 'NULL' : text(value));
  const rows = files.map(({ file, statistics }) => {
    const values = key.map((name) => `${bound(statistics?.min.get(name))}, ${bound(statistics?.max.get(name))}`);
    return `(${file}, ${values.join(', ')})`;
  });
  for (let first = 0; first < rows.length; first += 500) {
    await connection.run(`INSERT INTO live VALUES ${rows.slice(first, first + 500).join(', ')}`, signal);
  }
}

/** The files whose key range holds a changed key. */
export async function candidates(
  connection: DuckConnection,
  key: number[],
  equality: Staging['equality'],
  signal: AbortSignal,
): Promise<number[]> {
  const within = key.map((c, i) =>
    // What is equal may lie outside of the other's bounds.
    equality[i]
      ? 'true'
      : `(l.min${i} IS NULL OR ch.c${c} >= l.min${i}) AND (l.max${i} IS NULL OR ch.c${c} <= l.max${i})`,
  );
  const rows = await connection.rows<{ file: number }>(
    `SELECT file FROM live l WHERE EXISTS (SELECT 1 FROM changes ch WHERE ${within.join(' AND ')}) ORDER BY file`,
    signal,
  );
  return rows.map(({ file }) => file);
}

/** Ranks of each file's least and greatest first key column, for deciding which files overlap; a file without bounds spans all. */
export async function keyRanks(
  connection: DuckConnection,
  signal: AbortSignal,
): Promise<Map<number, { low: number; high: number }>> {
  const rows = await connection.rows<{ file: number; low: bigint; high: bigint }>(
    `WITH bounds AS (SELECT file, min0 AS value, true AS is_low FROM live UNION ALL SELECT file, max0, false FROM live),
          ranks AS (SELECT file, is_low, value, dense_rank() OVER (ORDER BY value NULLS FIRST) AS rank FROM bounds)
     SELECT file, max(CASE WHEN is_low THEN rank END) AS low, max(CASE WHEN NOT is_low THEN CASE WHEN value IS NULL THEN 9e15::BIGINT ELSE rank END END) AS high
     FROM ranks GROUP BY file`,
    signal,
  );
  return new Map(rows.map(({ file, low, high }) => [file, { low: Number(low), high: Number(high) }]));
}

/** Makes the table `gone` (file, row) empty. */
export async function emptyGone(connection: DuckConnection, signal: AbortSignal): Promise<void> {
  await connection.run('CREATE OR REPLACE TABLE gone (file INTEGER, "row" BIGINT)', signal);
}

const CHUNK = 2_048;

/** Adds a file's deleted rows to `gone`. */
export async function addGone(
  connection: DuckConnection,
  file: number,
  positions: Iterable<number>,
  signal: AbortSignal,
): Promise<void> {
  await connection.use(async (raw) => {
    const appender = await raw.createAppender('gone');
    const types: DuckDBType[] = [INTEGER, BIGINT];
    let rows: bigint[] = [];
    const flush = () => {
      if (rows.length === 0) return;
      const chunk = DuckDBDataChunk.create(types, rows.length);
      chunk.setColumns([rows.map(() => file), rows]);
      appender.appendDataChunk(chunk);
      rows = [];
    };
    for (const position of positions) if (rows.push(BigInt(position)) === CHUNK) flush();
    flush();
    appender.closeSync();
  }, signal);
}
