/** The transaction that loads. Invariant: it holds one of the cap's slots, whatever pooler stands between; its settings are its own. */

import type pg from 'pg';
import { sqlName } from './sql-name.ts';

/** Class of the advisory locks: the cap counts for the whole database, over loads and ledgers. */
const SLOTS = 0x7469646d;

/** `others`: some process waits for a connection. */
export type Begun = { slot: boolean; others: boolean };

/**
 * Begins a transaction with a slot among 0 to `cap` - 1. Without one it is rolled back already. Limits of time are the
 * server's own, so that a process that stands still does not keep its locks.
 */
export async function beginWithSlot(client: pg.ClientBase, cap: number, ledgerSchema: string): Promise<Begun> {
  await client.query(`begin isolation level read committed read write; ${SETTINGS}`);
  const start = Math.floor(Math.random() * cap);
  const { rows } = await client.query<{ slot: number | null; others: boolean }>(
    `select (select s from pg_catalog.generate_series(0, $1 - 1) s
         where pg_catalog.pg_try_advisory_xact_lock($2, (s + $3) % $1) limit 1) as slot,
       exists (select from ${sqlName(ledgerSchema)}.load_worker where waiting_until > clock_timestamp()) as others`,
    [cap, SLOTS, start],
  );
  const begun = { slot: rows[0].slot !== null, others: rows[0].others };
  if (!begun.slot) await client.query('rollback');
  return begun;
}

// search_path stays the role's: triggers and defaults of the table may count on it.
const SETTINGS = `
  set local statement_timeout = '15min';
  set local lock_timeout = '30s';
  set local idle_in_transaction_session_timeout = '5min';
  set local work_mem = '64MB';
  set local timezone = 'UTC';
  set local datestyle = 'ISO, YMD';
  set local intervalstyle = 'postgres';
  set local tcp_user_timeout = 60000;
  set constraints all immediate;
  select pg_catalog.set_config('synchronous_commit', 'local', true)
    where pg_catalog.current_setting('synchronous_commit') = 'off'`;
