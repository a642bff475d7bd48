/**
 * Where the changed keys are, as the DuckDB table `hits`: file, row, and the change's rowid. Invariant: a key is in a staged table once;
 * a row that a deletion vector deletes is in it no more.
 */

import type { DuckConnection } from '../duckdb/duck.ts';
import { ident, texts } from '../duckdb/literal.ts';
import { TidemarkError } from '../model/error.ts';
import type { KeyEquality } from '../model/run.ts';
import { compared } from './keys.ts';

export async function emptyHits(connection: DuckConnection, signal: AbortSignal): Promise<void> {
  await connection.run('CREATE OR REPLACE TABLE hits (file INTEGER, "row" BIGINT, change BIGINT)', signal);
}

/** Finds the changed keys in some files, reading their key columns alone; `key` has these columns' names, and their numbers in `changes`. */
export async function addHits(
  connection: DuckConnection,
  files: { file: number; path: string }[],
  key: { name: string; column: number; equality: KeyEquality | undefined }[],
  signal: AbortSignal,
): Promise<void> {
  const equal = key
    .map(
      ({ name, column, equality }) =>
        `${compared(`f.${ident(name)}`, equality)} = ${compared(`c.c${column}`, equality)}`,
    )
    .join(' AND ');
  const numbers = `[${files.map(({ file }) => file).join(', ')}]`;
  const paths = texts(files.map(({ path }) => path));
  await connection.run(
    `INSERT INTO hits
     SELECT ${numbers}[list_position(${paths}, f._tidemark_file)], f.file_row_number, c.rowid
     FROM read_parquet(${paths}, hive_partitioning = false, filename = '_tidemark_file', file_row_number = true) f
     JOIN changes c ON ${equal}`,
    signal,
  );
}

export type HitCounts = { hits: Map<number, number>; updated: number; deleted: number };

/** Leaves out what is deleted already, and counts. Throws STAGED_BROKEN when a key is there twice. */
export async function settleHits(connection: DuckConnection, signal: AbortSignal): Promise<HitCounts> {
  await connection.run('DELETE FROM hits USING gone WHERE hits.file = gone.file AND hits."row" = gone."row"', signal);
  const rows = await connection.rows<{ file: number; hits: bigint; deletes: bigint }>(
    `SELECT file, count(*) AS hits, count(*) FILTER (c.op = 'd') AS deletes
     FROM hits JOIN changes c ON c.rowid = hits.change GROUP BY file`,
    signal,
  );
  const [{ twice }] = await connection.rows<{ twice: bigint }>(
    'SELECT count(*) - count(DISTINCT change) AS twice FROM hits',
    signal,
  );
  if (twice > 0n) {
    throw new TidemarkError('STAGED_BROKEN', `${twice} keys are in the staged table more than once`, {
      hint: 'another writer added them? tidemark compact --rebuild makes the table anew',
    });
  }
  const sum = (of: 'hits' | 'deletes') => rows.reduce((total, row) => total + Number(row[of]), 0);
  const deleted = sum('deletes');
  return {
    hits: new Map(rows.map(({ file, hits }) => [file, Number(hits)])),
    updated: sum('hits') - deleted,
    deleted,
  };
}
