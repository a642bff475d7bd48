/** What the last reconciliation of a table found. */

import { type Kysely, sql } from 'kysely';

/** Adds to the tables in `schema`. Runs inside the migration's transaction. */
export async function up(db: Kysely<never>, schema: string): Promise<void> {
  const at = `"${schema.replaceAll('"', '""')}"`;
  await sql.raw(statements(at)).execute(db);
}

const statements = (at: string) => `
alter table ${at}.daemon_work add column rows bigint;
comment on table ${at}.daemon_work is 'When a piece of work was last done, so that a daemon that starts knows what was missed, and two do not do it twice.';
comment on column ${at}.daemon_work.kind is 'vacuum, load or reconcile; reconcile_from: not reconciled yet, its schedule counts from then on. Exports and compactions are in source_table and staged_table.';
comment on column ${at}.daemon_work.rows is 'Of a reconciliation: the deleted rows that it found.';
`;
