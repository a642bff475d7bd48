/**
 * What raw files bring, as the DuckDB table `changes`: the newest version of each key. Invariant: a greater run beats a smaller one, and
 * a key that occurs twice in one run, or is NULL, stops the table rather than losing a row.
 */

import type { DuckConnection } from '../duckdb/duck.ts';
import { ident } from '../duckdb/literal.ts';
import { ADDED_COLUMNS } from '../model/column-names.ts';
import { compared, refuseNull, refuseTwice } from './keys.ts';
import { type FileColumn, keyIndexes, scan, selectColumns } from './read-files.ts';
import type { Staging } from './staging.ts';

/** Local copies of raw files, the columns that they have together, and of how many runs they are. */
export type RawFiles = { paths: string[]; found: FileColumn[]; runs: number };

export type Changes = { rows: number; deletes: number };

const RUN = ident(ADDED_COLUMNS.run);
const OP = ident(ADDED_COLUMNS.op);

/** Makes the table `changes`: c0, c1 … and `op`; a row's rowid names it. Throws STAGED_KEY. */
export async function loadChanges(
  connection: DuckConnection,
  { paths, found, runs }: RawFiles,
  { columns, key, equality }: Pick<Staging, 'columns' | 'key' | 'equality'>,
  signal: AbortSignal,
): Promise<Changes> {
  const same = key.map((name, i) => compared(`r.${ident(name)}`, equality[i]));
  // Two narrow passes instead of a window over whole rows, which needs memory for all of them.
  const newest =
    runs === 1
      ? ''
      : `JOIN (SELECT ${same.map((value, i) => `${value} AS k${i}`).join(', ')}, max(${RUN}) AS newest FROM ${scan(paths)} r GROUP BY ALL) n
         ON ${same.map((value, i) => `${value} = n.k${i}`).join(' AND ')} AND r.${RUN} = n.newest`;
  await connection.run(
    `CREATE OR REPLACE TABLE changes AS
     SELECT ${selectColumns(columns, found, 'r')}, r.${OP} AS op FROM ${scan(paths)} r ${newest}`,
    signal,
  );
  await refuseNull(connection, paths, key, signal);
  await refuseTwice(
    connection,
    'changes',
    keyIndexes(columns, key).map((column, i) => compared(`c${column}`, equality[i])),
    signal,
  );
  const [counts] = await connection.rows<{ rows: bigint; deletes: bigint }>(
    `SELECT count(*) AS rows, count(*) FILTER (op = 'd') AS deletes FROM changes`,
    signal,
  );
  return { rows: Number(counts.rows), deletes: Number(counts.deletes) };
}
