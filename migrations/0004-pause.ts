/** Tables that somebody holds, and runs that repeat a range. Invariant: a pause takes nothing from whoever holds a lease by then. */

import { type Kysely, sql } from 'kysely';

/** Adds to the tables in `schema`. Runs inside the migration's transaction. */
export async function up(db: Kysely<never>, schema: string): Promise<void> {
  const at = `"${schema.replaceAll('"', '""')}"`;
  await sql.raw(statements(at)).execute(db);
}

const statements = (at: string) => `
alter table ${at}.source_table
  add column paused_at timestamptz,
  add column paused_by text,
  add constraint source_table_paused check ((paused_at is null) = (paused_by is null));
comment on column ${at}.source_table.paused_at is 'Since when nobody begins to work on the table: no lease of any kind is given. Null: it is not paused.';
comment on column ${at}.source_table.paused_by is 'Who paused it, for people: user and host.';

alter table ${at}.run add column repeats jsonb, add column broken jsonb;
comment on column ${at}.run.repeats is 'Only of a run that repeats a range: {cursor, since, until}, the bounds as they were typed. Such a run leaves the mark as it was.';
comment on column ${at}.run.broken is 'Expectations that its rows broke, where on_break is report: [{column, rule, count, key, value}], key and value of one such row.';
alter table ${at}.run_chunk add column broken jsonb;
comment on column ${at}.run_chunk.broken is 'As in run, of the rows of the chunk.';
`;
