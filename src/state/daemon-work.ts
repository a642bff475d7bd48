/** When work was last done, for a daemon that starts, and for its samples. Takes no lease, locks nothing that is held. */

import { sql } from 'kysely';
import type { TableName } from '../model/table.ts';
import type { StateTx } from './database.ts';
import { now, tableIn } from './sql.ts';

/** Milliseconds since 1970, of the state database's clock. */
export type LastExport = { name: TableName; folder: string; exportedAt: number | null; paused: boolean };

/** Of every table that an export has met. */
export async function lastExports({ db, schema }: StateTx): Promise<LastExport[]> {
  const query = sql<{ schema_name: string; table_name: string; folder: string; at: number | null; paused: boolean }>`
    select schema_name, table_name, folder, (extract(epoch from last_checked_at) * 1000)::float8 as at,
      paused_at is not null as paused
    from ${tableIn(schema, 'source_table')}`;
  return (await query.execute(db)).rows.map((row) => ({
    name: { schema: row.schema_name, table: row.table_name },
    folder: row.folder,
    exportedAt: row.at,
    paused: row.paused,
  }));
}

/** `reconcile_from`: not done yet; from then on its schedule counts. */
export type NotedWork = 'vacuum' | 'load' | 'reconcile' | 'reconcile_from';

/** Milliseconds since 1970 by name; what a daemon has not done yet is missing. */
export async function lastWork({ db, schema }: StateTx, kind: string): Promise<Map<string, number>> {
  const query = sql<{ name: string; at: number }>`
    select name, (extract(epoch from ended_at) * 1000)::float8 as at
    from ${tableIn(schema, 'daemon_work')} where kind = ${kind}`;
  return new Map((await query.execute(db)).rows.map(({ name, at }) => [name, at]));
}

/** What the last reconciliation of a table came to: when it was done, in milliseconds since 1970, and the deleted rows that it found. */
export type LastReconciled = { at: number; deleted: bigint | null };

/** By the table's name. */
export async function lastReconciled({ db, schema }: StateTx): Promise<Map<string, LastReconciled>> {
  const query = sql<{ name: string; at: number; deleted: string | null }>`
    select name, (extract(epoch from ended_at) * 1000)::float8 as at, rows as deleted
    from ${tableIn(schema, 'daemon_work')} where kind = 'reconcile'`;
  const { rows } = await query.execute(db);
  return new Map(
    rows.map(({ name, at, deleted }) => [name, { at, deleted: deleted === null ? null : BigInt(deleted) }]),
  );
}

/** Notes that these were done just now; `rows`: of each. */
export async function noteWork(
  { db, schema }: StateTx,
  kind: NotedWork,
  names: readonly string[],
  rows: string | null = null,
): Promise<void> {
  await sql`
    insert into ${tableIn(schema, 'daemon_work')} (kind, name, ended_at, rows)
    select ${kind}, name, ${now}, ${rows}::bigint from unnest(${names}::text[]) as name order by name
    on conflict (kind, name) do update set ended_at = excluded.ended_at, rows = excluded.rows`.execute(db);
}

/** What was exported in a minute: `at` is its beginning, in milliseconds since 1970 of the state database's clock. */
export type ExportedMinute = { at: number; rows: number; bytes: number };

/** By all processes, in the order of time; minutes without a committed run are missing. */
export async function exportedMinutes({ db, schema }: StateTx, sinceMs: number): Promise<ExportedMinute[]> {
  const query = sql<ExportedMinute>`
    select extract(epoch from date_trunc('minute', finished_at))::float8 * 1000 as at,
      sum(rows)::float8 as rows, sum(bytes)::float8 as bytes
    from ${tableIn(schema, 'run')}
    where kind = 'export' and state = 'committed' and finished_at > ${now} - make_interval(secs => ${sinceMs / 1000})
    group by 1 order by 1`;
  return (await query.execute(db)).rows;
}
