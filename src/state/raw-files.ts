/** The manifest as a query over the history reads it: every committed raw file, whatever replaced its rows since. */

import { sql } from 'kysely';
import type { WrittenColumn } from '../model/run.ts';
import { type Archive, archivesAfter } from './archives.ts';
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

/** Files that are named here, or the archives to look into first. */
export type FilesPage = { files: RawFileOfRun[]; archives: null } | { files: null; archives: Archive[] };

/**
 * The files of the first `most` runs after `after`, in the order of the runs; empty: there are no more. Wants a transaction with one
 * snapshot, as rawRuns() does.
 */
export async function rawFiles(tx: StateTx, folder: string, after: bigint, most: number): Promise<FilesPage> {
  const archives = await archivesAfter(tx, folder, after);
  if (archives.length > 0) return { files: null, archives };
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
  const files = rows.map((row) => ({ ...row, run: BigInt(row.run), rows: Number(row.rows), bytes: Number(row.bytes) }));
  return { files, archives: null };
}
