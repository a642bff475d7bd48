/** The manifest as a query over the history reads it: every committed raw file, whatever replaced its rows since. */

import { sql } from 'kysely';
import type { WrittenColumn } from '../model/run.ts';
import type { StateTx } from './database.ts';
import type { CommittedFile } from './raw-runs.ts';
import { tableIn } from './sql.ts';

export type RawTable = {
  columns: WrittenColumn[];
  /** Columns in the lake with values that were kept as text, in a column of their own. */
  keptAsText: string[];
};

/** Null when nothing of the folder was exported. */
export async function rawTable({ db }: StateTx, folder: string): Promise<RawTable | null> {
  const row = await db
    .selectFrom('source_table')
    .select(['columns', 'unfit'])
    .where('folder', '=', folder)
    .where('columns', 'is not', null)
    .executeTakeFirst();
  if (!row) return null;
  const keptAsText = Object.keys(row.unfit).filter((column) => (row.unfit[column].text ?? 0) > 0);
  return { columns: row.columns!, keptAsText };
}

export type RawFileOfRun = CommittedFile & { run: bigint };

/** The files of the first `most` runs after `after`, in the order of the runs; empty: there are no more. */
export async function rawFiles(tx: StateTx, folder: string, after: bigint, most: number): Promise<RawFileOfRun[]> {
  const query = sql<Omit<RawFileOfRun, 'run'> & { run: string }>`
    with chosen as materialized (
      select r.run from ${tableIn(tx.schema, 'run')} r
      where r.table_id = (select id from ${tableIn(tx.schema, 'source_table')} where folder = ${folder})
        and r.state = 'committed' and r.run > ${after}
      order by r.table_id, r.run limit ${most})
    select f.run, f.key, f.rows, f.bytes, f.bounds
    from chosen join ${tableIn(tx.schema, 'raw_file')} f on f.run = chosen.run
    order by f.run, f.part`;
  const { rows } = await query.execute(tx.db);
  return rows.map((row) => ({ ...row, run: BigInt(row.run), rows: Number(row.rows), bytes: Number(row.bytes) }));
}
