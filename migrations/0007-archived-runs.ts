/** Runs whose manifest lies in the lake. Invariant: a committed run is in `run` or in one archive, never in both, never in none. */

import { type Kysely, sql } from 'kysely';

/** Adds to the tables in `schema`. Runs inside the migration's transaction. */
export async function up(db: Kysely<never>, schema: string): Promise<void> {
  const at = `"${schema.replaceAll('"', '""')}"`;
  await sql.raw(statements(at)).execute(db);
}

const statements = (at: string) => `
create table ${at}.archived_runs (
  table_id integer not null references ${at}.source_table,
  from_run bigint not null,
  to_run bigint not null,
  key text not null,
  runs integer not null,
  files integer not null,
  rows bigint not null,
  bytes bigint not null,
  from_at timestamptz not null,
  since timestamptz not null,
  as_of timestamptz,
  full_run bigint,
  full_at timestamptz,
  archived_at timestamptz not null default clock_timestamp(),
  primary key (table_id, from_run),
  check (from_run <= to_run)
);
comment on table ${at}.archived_runs is 'One row for each archive of committed runs: what run and raw_file held of them is in the lake. Archives of a table are disjoint and in order, and all its runs in run are greater.';
comment on column ${at}.archived_runs.from_run is 'Its first run; to_run: its last one.';
comment on column ${at}.archived_runs.key is 'Of the archive, relative to the lake.';
comment on column ${at}.archived_runs.rows is 'Of all its runs together, as are files and bytes (of the raw files).';
comment on column ${at}.archived_runs.from_at is 'The least snapshot among its runs.';
comment on column ${at}.archived_runs.since is 'When its first run was committed.';
comment on column ${at}.archived_runs.as_of is 'The snapshot of its last export that repeats no range; null: it has none.';
comment on column ${at}.archived_runs.full_run is 'Its last full run, null: it has none; full_at: that one''s snapshot.';
comment on column ${at}.lease.kind is 'What the holder does (export, compact, archive): leases of different kinds on one table do not exclude each other.';
`;
