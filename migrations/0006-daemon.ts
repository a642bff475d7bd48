/** What the daemon did last, where nothing else tells. Invariant: one row for each piece of work, however often it is done. */

import { type Kysely, sql } from 'kysely';

/** Adds to the tables in `schema`. Runs inside the migration's transaction. */
export async function up(db: Kysely<never>, schema: string): Promise<void> {
  const at = `"${schema.replaceAll('"', '""')}"`;
  await sql.raw(statements(at)).execute(db);
}

const statements = (at: string) => `
create table ${at}.daemon_work (
  kind text not null,
  name text not null,
  ended_at timestamptz not null,
  primary key (kind, name)
) with (fillfactor = 70);
comment on table ${at}.daemon_work is 'When a daemon last did a piece of work, so that one that starts knows what was missed, and two do not do it twice.';
comment on column ${at}.daemon_work.kind is 'vacuum or load: exports and compactions are in source_table and staged_table.';
comment on column ${at}.daemon_work.name is 'The table (schema.table) or the load.';
`;
