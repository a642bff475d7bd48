/**
 * The look at what is under way on the source, taken before the snapshot. Invariant: each part is a statement of its own,
 * in this order, outside a transaction; pg_stat_activity stands still within one.
 */

import { sql } from 'kysely';
import type pg from 'pg';
import { seenHere } from '../model/history.ts';
import { complement } from '../model/id-ranges.ts';
import type { History, IdRange, Mark, Micros } from '../model/mark.ts';
import { ASKED_AT_ONCE, finishedAmong } from './finished-ids.ts';
import { type HistoryAsks, historyColumns, parseHistory } from './history.ts';
import { epochMicros, rowsOf } from './query.ts';

/** What is under way. */
export type Activity = {
  /** The server's clock before anything else. */
  clock: Micros;
  /** Least start of a transaction or statement of others in this database; null: none is under way. */
  oldestStart: Micros | null;
  /** Backends whose activity we may not see, or that do not report it; one more on a standby, which stands for its primary's. */
  hidden: number;
  /** Prepared transactions of this database. */
  prepared: bigint[];
};

export type Look = Activity & {
  /** Ids that were finished, among those that a mark may have to remember. */
  finished: IdRange[];
  /** Of the server that was looked at, whose snapshot is taken later. */
  history: History;
};

/** A mark at hand, whose ids need not be asked for again; `asks`: by what its history is compared. */
export type Seen = { mark: Pick<Mark, 'seen' | 'history'> | null; asks: HistoryAsks };

/**
 * `ours`: process ids of our own backends, this client's among them. `seen`: a mark at hand, whose seen ids are known to be finished.
 */
export async function lookAtActivity(client: pg.ClientBase, ours: number[], seen: Seen): Promise<Look> {
  return { ...(await readActivity(client, ours)), ...(await finishedIds(client, seen)) };
}

/** A standby's look: its primary's activity, once the standby has replayed what was committed before. */
export async function lookFromStandby(
  client: pg.ClientBase,
  primary: (standby: pg.ClientBase) => Promise<Activity>,
  seen: Seen,
): Promise<Look> {
  const activity = await primary(client);
  // Of the standby: an id that is finished on the primary alone would count as exported, and its rows cannot be seen yet.
  return { ...activity, ...(await finishedIds(client, seen)) };
}

/** Outside of a transaction. `ours`: process ids that do not count. */
export async function readActivity(client: pg.ClientBase, ours: number[]): Promise<Activity> {
  const [{ clock }] = await rowsOf(
    client,
    sql<{ clock: string }>`select ${epochMicros('pg_catalog.clock_timestamp()')} as clock`,
  );
  // A hidden backend has no backend_type either: it must not fall out by that.
  // On a standby the transactions that count are those of its primary, and none of them is seen.
  // A pooler gives its clients made-up process ids: one that happens to be a writer's must not hide it. So ids of ours count
  // only where they are true, which shows in this connection's own.
  // query_start: several transactions in one message share the message's now(), and xact_start is NULL between them.
  const [activity] = await rowsOf(
    client,
    sql<{ oldest: string | null; hidden: string }>`
      select ${epochMicros("min(least(xact_start, query_start)) filter (where state <> 'idle')")} as oldest,
        count(*) filter (where query = '<insufficient privilege>' or state = 'disabled')
          + pg_catalog.pg_is_in_recovery()::int as hidden
      from pg_catalog.pg_stat_activity
      where datname = pg_catalog.current_database() and backend_type is distinct from 'autovacuum worker'
        and pid <> pg_catalog.pg_backend_pid()
        and (pid <> all(${ours}::int[]) or pg_catalog.pg_backend_pid() <> all(${ours}::int[]))`,
  );
  // After the activity: a transaction that is prepared in between is seen here; the other way round by neither.
  const prepared = await rowsOf(
    client,
    sql<{ id: string }>`
      select (pg_catalog.pg_snapshot_xmax(s)::text::int8
          - ((pg_catalog.pg_snapshot_xmax(s)::text::int8 - p.transaction::text::int8) & 4294967295))::text as id
      from pg_catalog.pg_prepared_xacts p, pg_catalog.pg_current_snapshot() s
      where p.database = pg_catalog.current_database()`,
  );
  return {
    clock: BigInt(clock),
    oldestStart: activity.oldest === null ? null : BigInt(activity.oldest),
    hidden: Number(activity.hidden),
    prepared: prepared.map((row) => BigInt(row.id)),
  };
}

async function finishedIds(client: pg.ClientBase, { mark, asks }: Seen): Promise<Pick<Look, 'finished' | 'history'>> {
  const [{ xmin, xmax, ...told }] = await rowsOf(
    client,
    sql<{ xmin: string; xmax: string; system: string | null; timeline: string | null; lsn: string | null }>`
      select pg_catalog.pg_snapshot_xmin(s)::text as xmin, pg_catalog.pg_snapshot_xmax(s)::text as xmax, ${historyColumns(asks)}
      from pg_catalog.pg_current_snapshot() s`,
  );
  // After a failover the same ids are given out again, and may be under way.
  const history = { ...parseHistory(told), xmax: BigInt(xmax) };
  const seen = seenHere(mark, history);
  const open = complement(seen, { from: BigInt(xmin), to: BigInt(xmax) });
  const asked: IdRange[] = [];
  // The rest stay open and are carried by their rows.
  let budget = ASKED_AT_ONCE;
  for (const range of open) {
    const to = range.to - range.from > budget ? range.from + budget : range.to;
    if (to > range.from) asked.push({ from: range.from, to });
    budget -= to - range.from;
  }
  const known = seen.filter((range) => range.to > BigInt(xmin));
  return { finished: [...known, ...(await finishedAmong(client, asked))], history };
}
