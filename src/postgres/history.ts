/**
 * Which server's history the transaction ids belong to: the system, its timeline, how far the WAL was. Invariant: a server
 * that does not answer one of the questions (managed ones replace parts of Postgres) is asked the others alone.
 */

import { type RawBuilder, sql } from 'kysely';
import type pg from 'pg';
import type { History } from '../model/mark.ts';

/** Which of the questions the server answers. */
export type HistoryAsks = { system: boolean; timeline: boolean; lsn: boolean };

export const NO_HISTORY: HistoryAsks = { system: false, timeline: false, lsn: false };

const SYSTEM = `(select system_identifier::text from pg_catalog.pg_control_system())`;

// Not pg_control_checkpoint: it has the old timeline for seconds after a promotion, on a standby of the promoted server for
// minutes. The receiver knows at once, while there is one; it is hidden without pg_read_all_stats.
const TIMELINE = `case when pg_catalog.pg_is_in_recovery()
    then (select received_tli from pg_catalog.pg_stat_get_wal_receiver())
    else ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int
    end::text`;

/** Where the WAL is: inserted on a primary, replayed on a standby. */
const LSN = `(case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn()
    else pg_catalog.pg_current_wal_insert_lsn() end - '0/0'::pg_catalog.pg_lsn)::text`;

const QUESTIONS: Record<keyof HistoryAsks, string> = { system: SYSTEM, timeline: TIMELINE, lsn: LSN };

/** Columns `system`, `timeline` and `lsn` of a select; NULL what is not asked. */
export function historyColumns(asks: HistoryAsks): RawBuilder<unknown> {
  const names = Object.keys(QUESTIONS) as (keyof HistoryAsks)[];
  return sql.raw(names.map((name) => `${asks[name] ? QUESTIONS[name] : 'null::text'} as "${name}"`).join(', '));
}

export function parseHistory(row: {
  system: string | null;
  timeline: string | null;
  lsn: string | null;
}): Omit<History, 'xmax'> {
  return {
    system: row.system,
    timeline: row.timeline === null ? null : Number(row.timeline),
    lsn: row.lsn === null ? null : BigInt(row.lsn),
  };
}

type Where = 'alone' | 'in a transaction';

/** Asks each by itself; in a transaction it sets savepoints. Throws only when the connection is lost. */
export async function whatServerTells(client: pg.ClientBase, where: Where = 'alone'): Promise<HistoryAsks> {
  const asks = { ...NO_HISTORY };
  for (const name of Object.keys(QUESTIONS) as (keyof HistoryAsks)[])
    asks[name] = (await answer(client, QUESTIONS[name], where)) !== undefined;
  return asks;
}

/** The system's number; null: the server does not tell. */
export async function systemOf(client: pg.ClientBase, where: Where = 'alone'): Promise<string | null> {
  return (await answer(client, SYSTEM, where)) ?? null;
}

/** Undefined: the server refuses to answer. */
async function answer(client: pg.ClientBase, question: string, where: Where): Promise<string | null | undefined> {
  const within = where === 'in a transaction';
  try {
    if (within) await client.query('savepoint asked');
    return (await client.query<{ answer: string | null }>(`select ${question} as answer`)).rows[0].answer;
  } catch (error) {
    if (!/^[0-9A-Z]{5}$/.test((error as { code?: string }).code ?? '')) throw error;
    if (within) await client.query('rollback to savepoint asked');
    return undefined;
  }
}
