/** Full runs of large tables in chunks. Invariant: what is noted of a chunk is uploaded whole, and nothing of it is visible. */

import { type Kysely, sql } from 'kysely';

/** Adds to the tables in `schema`. Runs inside the migration's transaction. */
export async function up(db: Kysely<never>, schema: string): Promise<void> {
  const at = `"${schema.replaceAll('"', '""')}"`;
  await sql.raw(statements(at)).execute(db);
}

const statements = (at: string) => `
alter table ${at}.run add column chunk_plan jsonb;
comment on column ${at}.run.chunk_plan is 'Of a full run that goes in chunks, only while it is planned: {starts, table, columnList, reads}. Chunk n is blocks starts[n] up to starts[n+1] of each leaf, the last one to the end. The next holder of the lease goes on with such a run.';
comment on column ${at}.run.next_mark is 'The table''s mark once this run is committed; while it is prepared, or planned in chunks. next_columns likewise.';

create table ${at}.run_chunk (
  run bigint not null references ${at}.run,
  chunk integer not null,
  rows bigint not null,
  watermark text,
  unfit jsonb not null,
  files jsonb not null,
  gone jsonb not null,
  noted_at timestamptz not null default clock_timestamp(),
  primary key (run, chunk)
);
comment on table ${at}.run_chunk is 'Chunks of planned runs that are uploaded whole: the run''s next attempt leaves them out. Gone once the run is prepared; then raw_file has their files.';
comment on column ${at}.run_chunk.chunk is 'From 0.';
comment on column ${at}.run_chunk.watermark is 'The greatest cursor value of its rows.';
comment on column ${at}.run_chunk.files is 'As in raw_file: [{part, key, rows, bytes, upload, bounds}].';
comment on column ${at}.run_chunk.gone is 'Leaves of the plan (oids) that the table did not have any more.';
`;
