/** The state store: tables known, leases, runs, and the manifest. Invariant: the mark moves only in the transaction that commits a run. */

import { type Kysely, sql } from 'kysely';

/** Creates the tables in `schema`, which exists. Runs inside the migration's transaction. */
export async function up(db: Kysely<never>, schema: string): Promise<void> {
  const at = `"${schema.replaceAll('"', '""')}"`;
  await sql.raw(statements(at)).execute(db);
}

const statements = (at: string) => `
create table ${at}.store (
  one boolean primary key default true check (one),
  id uuid not null default gen_random_uuid(),
  created_at timestamptz not null default clock_timestamp()
);
comment on table ${at}.store is 'One row: which state store this is.';
comment on column ${at}.store.one is 'Always true: keeps the table at one row.';
comment on column ${at}.store.id is 'Part of every raw key, so that two stores that write into one lake never take each other''s files for their own.';
insert into ${at}.store default values;

create sequence ${at}.run_number;
comment on sequence ${at}.run_number is 'Numbers the runs. A later run of a table beats every earlier one.';
create sequence ${at}.lease_token;
comment on sequence ${at}.lease_token is 'Fencing tokens. One is never used twice, and the holder after you has a greater one.';

create table ${at}.source_table (
  id integer generated always as identity primary key,
  schema_name text not null,
  table_name text not null,
  folder text not null,
  columns jsonb,
  mark jsonb,
  mark_run bigint,
  unfit jsonb not null default '{}',
  raw_files bigint not null default 0,
  raw_bytes bigint not null default 0,
  raw_rows bigint not null default 0,
  last_checked_at timestamptz,
  failed_run bigint
) with (fillfactor = 70);
create unique index source_table_folder on ${at}.source_table (lower(folder collate "C"));
comment on table ${at}.source_table is 'One row for each source table and folder of the lake.';
comment on column ${at}.source_table.folder is 'Its folder under raw/ and staged/. A table that is exported under a second name has a second row, with a mark of its own.';
comment on column ${at}.source_table.columns is 'The columns as they were written last, to notice changes: [{source, name, type}].';
comment on column ${at}.source_table.mark is 'What the next run starts from. xmin: ids below it are exported; seen: ids at or above it that are exported too (an int8multirange); floor: no row committed later has a cursor value below it; watermark: the greatest cursor value exported; at: the snapshot''s clock; prepared: prepared transactions that were open. Null: nothing was exported yet. To export everything again use export --full, never an update of this column.';
comment on column ${at}.source_table.mark_run is 'The last committed run.';
comment on column ${at}.source_table.unfit is 'Values without a place in the lake''s type since the first run, by column and by what became of them.';
comment on column ${at}.source_table.raw_files is 'Committed raw files. Counted in the transaction that commits them, as are raw_bytes and raw_rows.';
comment on column ${at}.source_table.last_checked_at is 'When a run last succeeded, with something to export or without.';
comment on column ${at}.source_table.failed_run is 'The run that failed last; null again once a run succeeds.';

create table ${at}.run (
  run bigint primary key,
  kind text not null,
  table_id integer not null references ${at}.source_table,
  state text not null check (state in ('planned', 'prepared', 'committed', 'failed', 'abandoned')),
  token bigint not null,
  prefix text,
  load_date date,
  snapshot_at timestamptz,
  is_full boolean,
  started_at timestamptz not null default clock_timestamp(),
  prepared_at timestamptz,
  finished_at timestamptz,
  rows bigint,
  late_rows bigint,
  files integer,
  bytes bigint,
  unfit jsonb,
  next_mark jsonb,
  next_columns jsonb,
  failed_at timestamptz,
  error jsonb,
  reason text
);
create unique index run_open on ${at}.run (table_id, kind) where state in ('planned', 'prepared');
create index run_given_up on ${at}.run (table_id, kind, run) where state in ('failed', 'abandoned');
comment on table ${at}.run is 'Attempts. At most one of a table and kind is open (planned or prepared); so runs commit in the order of their numbers.';
comment on column ${at}.run.kind is 'export, or later another kind of work.';
comment on column ${at}.run.state is 'planned: its files may be anywhere between begun and uploaded, none is visible. prepared: every byte is uploaded, the next holder of the lease rolls it forward. committed: its files count. failed, abandoned: nothing of it is left in the lake.';
comment on column ${at}.run.token is 'The fencing token that planned it; in the metadata of its files.';
comment on column ${at}.run.prefix is 'Every raw file of the run has a key that begins so. Null: it failed before it was planned.';
comment on column ${at}.run.snapshot_at is 'The clock of the snapshot that it read.';
comment on column ${at}.run.late_rows is 'Rows committed after the snapshot before, with a cursor value before it.';
comment on column ${at}.run.next_mark is 'The table''s mark once this run is committed; only while it is prepared. next_columns likewise.';
comment on column ${at}.run.failed_at is 'When error was noted. A run that failed and was rolled forward later keeps it.';
comment on column ${at}.run.error is 'code, message, hint, and where: column, key.';
comment on column ${at}.run.reason is 'Why it was given up.';

create table ${at}.raw_file (
  run bigint not null references ${at}.run,
  part integer not null,
  key text not null,
  rows bigint not null,
  bytes bigint not null,
  upload jsonb not null,
  bounds jsonb not null,
  primary key (run, part)
);
comment on table ${at}.raw_file is 'The manifest: a file counts when its run is committed.';
comment on column ${at}.raw_file.key is 'Relative to the lake.';
comment on column ${at}.raw_file.upload is 'What completes the upload: its id and parts.';
comment on column ${at}.raw_file.bounds is 'Least and greatest value of the key and cursor columns, as text.';

create table ${at}.lease (
  table_id integer not null references ${at}.source_table,
  kind text not null,
  holder text,
  token bigint,
  claim uuid,
  acquired_at timestamptz,
  expires_at timestamptz,
  primary key (table_id, kind),
  check ((holder is null) = (token is null) and (holder is null) = (expires_at is null))
) with (fillfactor = 50);
comment on table ${at}.lease is 'Who may work on which table. Times are of this database''s clock.';
comment on column ${at}.lease.holder is 'Null: nobody.';
comment on column ${at}.lease.token is 'Checked in every transaction of a run: who lost the lease cannot commit.';
comment on column ${at}.lease.claim is 'The call that took it, so that its repeat after a lost connection finds its own leases.';
comment on column ${at}.lease.expires_at is 'From then on another may take it; until one does, its holder may still commit.';
`;
