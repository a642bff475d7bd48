/** Several connections that see the same rows. Invariant: who joins has the exporting transaction's snapshot, settings and lock. */

import { sql } from 'kysely';
import type pg from 'pg';
import type { TableName } from '../model/table.ts';
import { rowsOf, tableId, textOf } from './query.ts';
import { beginReading } from './snapshot.ts';

/**
 * How long who joins waits for the table, in milliseconds. Somebody who waits for it behind the exporting transaction holds
 * the joining one up, and that is a circle that no server sees.
 */
const LOCK_TIMEOUT_MS = 2_000;

/** For joinSnapshot(); valid while the transaction is open. */
export async function exportSnapshot(client: pg.ClientBase): Promise<string> {
  const [{ id }] = await rowsOf(client, sql<{ id: string }>`select pg_catalog.pg_export_snapshot() as id`);
  return id;
}

/** Begins a transaction. Throws pg's DatabaseError: 55P03 when the table cannot be locked at once. */
export async function joinSnapshot(
  client: pg.ClientBase,
  id: string,
  table: TableName,
  statementTimeoutMs: number,
): Promise<void> {
  const statements = [
    ...beginReading(statementTimeoutMs, LOCK_TIMEOUT_MS),
    textOf(sql`set transaction snapshot ${sql.lit(id)}`),
    textOf(sql`lock table ${tableId(table)} in access share mode`),
    textOf(sql`select pg_catalog.set_config('client_encoding',
      case pg_catalog.current_setting('server_encoding') when 'SQL_ASCII' then 'SQL_ASCII' else 'UTF8' end, true)`),
  ];
  await client.query(statements.join(';\n'));
}
