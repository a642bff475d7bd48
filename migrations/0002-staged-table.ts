/** What is known of staged tables. Invariant: the Delta log in the lake is the truth; here is what its last writer found there. */

import { type Kysely, sql } from 'kysely';

/** Adds to the tables in `schema`. Runs inside the migration's transaction. */
export async function up(db: Kysely<never>, schema: string): Promise<void> {
  const at = `"${schema.replaceAll('"', '""')}"`;
  await sql.raw(statements(at)).execute(db);
}

const statements = (at: string) => `
create table ${at}.staged_table (
  table_id integer primary key references ${at}.source_table,
  version bigint,
  through_run bigint,
  rows bigint,
  files bigint,
  bytes bigint,
  checked_at timestamptz,
  compacted_at timestamptz,
  optimized_at timestamptz,
  failed_run bigint
) with (fillfactor = 70);
comment on table ${at}.staged_table is 'One row for each table that a compaction has worked on, or tried to. What is here was so when the last holder of the lease of kind compact looked; the Delta log below staged/ decides.';
comment on column ${at}.staged_table.version is 'The newest version of the Delta log. Null: no compaction has succeeded yet.';
comment on column ${at}.staged_table.through_run is 'The last run that it holds. Null with a version: none of this state store''s runs.';
comment on column ${at}.staged_table.rows is 'Of that version, as are files and bytes (of its data files, not of those that await vacuum).';
comment on column ${at}.staged_table.checked_at is 'When a compaction last succeeded, with something to do or without.';
comment on column ${at}.staged_table.compacted_at is 'When a compaction last wrote a version.';
comment on column ${at}.staged_table.failed_run is 'The compaction that failed last; null again once one succeeds. Failures of exports are in source_table.failed_run.';

create index run_committed on ${at}.run (table_id, run) where state = 'committed';
create index run_full on ${at}.run (table_id, run) where state = 'committed' and is_full;
comment on index ${at}.run_committed is 'What a staged table has not seen.';
comment on index ${at}.run_full is 'The run that a staged table can begin with.';

comment on column ${at}.run.kind is 'export or compact. A compaction is written down here only when it failed.';
comment on column ${at}.lease.kind is 'What the holder does: leases of different kinds on one table do not exclude each other.';
comment on column ${at}.source_table.columns is 'The columns as they were written last, to notice changes and to tell rows apart: [{source, name, type, key?, equality?}]. key: the place in the key, from 1; equality: equal keys may differ in text, by case (citext) or as numbers (1.0 and 1.00).';
`;
