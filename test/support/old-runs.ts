/** A past of a table that was exported once: committed runs of long ago, without raw files. */

import type { TestDatabase } from './postgres.ts';

/** Their numbers come before that of the run that is there; each has one file of two rows. */
export async function addOldRuns(db: TestDatabase, folder: string, count: number): Promise<void> {
  await db.query(
    `insert into tidemark.run (run, kind, table_id, state, token, prefix, load_date, snapshot_at, is_full, started_at, finished_at, rows, late_rows, files, bytes)
     select -n, 'export', t.id, 'committed', 1, '', at::date, at, false, at, at, 2, 0, 1, 100
     from tidemark.source_table t, generate_series(1, $2::int) n, lateral (select now() - interval '9 days' - n * interval '1 minute' as at) x
     where t.folder = $1`,
    [folder, count],
  );
  await db.query(
    `insert into tidemark.raw_file (run, part, key, rows, bytes, upload, bounds)
     select r.run, 0, 'raw/' || t.folder || '/' || r.run, 2, 100, '{}', '{}'
     from tidemark.source_table t join tidemark.run r on r.table_id = t.id where t.folder = $1 and r.run < 0`,
    [folder],
  );
}
