/**
 * What the ledgers in the targets say of the loads. Invariant: they are read only, by one short connection at a time each, and nobody
 * waits long for a target that is away.
 */

import type pg from 'pg';
import type { LoadSettings } from '../load/settings.ts';
import { sqlName } from '../load/target/sql-name.ts';
import { TidemarkError, toTidemarkError } from '../model/error.ts';
import { connect, disconnect } from '../postgres/connect.ts';

const CONNECT_MS = 3_000;
const LIMIT_MS = 10_000;
const SHOWN = 50;
/** A line may be megabytes. */
const TEXT = 400;

/** `rejects`: those that wait for a replay. `sums` null: too many drops to add up quickly. */
export type LoadTotals = { dead: number; rejects: number; sums: LoadSums | null };

export type LoadSums = {
  loaded: number;
  gone: number;
  claimed: number;
  rowsIn: number;
  rowsOut: number;
  rowsFiltered: number;
  rowsKnown: number;
};

export type DeadDrop = { key: string; bytes: number; error: string | null; at: number | null; attempt: number };

/** `text`: its beginning. */
export type Reject = {
  id: string;
  key: string;
  line: number;
  column: string | null;
  reason: string;
  text: string;
  cut: boolean;
  at: number;
  attempt: number;
};

/** How a load stands: `dead` drops, the first of them, and what its last attempt failed with; null: it did not. */
export type LoadStanding = {
  dead: number;
  firstDead: { key: string; error: string | null } | null;
  failure: { code: string; message: string; hint: string | null; at: number } | null;
};

export type LedgerPage = { totals: LoadTotals; dead: DeadDrop[]; rejects: Reject[] };

export type Env = Record<string, string | undefined>;

/** The newest first, some of each. Throws TARGET_*, or the signal's reason. */
export async function readLedger(load: LoadSettings, env: Env, signal: AbortSignal): Promise<LedgerPage> {
  return withLedger(load, env, signal, async (client, at) => ({
    totals: await totalsOf(client, at, load.name),
    dead: await deadOf(client, at, load.name),
    rejects: await rejectsOf(client, at, load.name),
  }));
}

/** The totals alone. Throws as readLedger(). */
export async function readTotals(load: LoadSettings, env: Env, signal: AbortSignal): Promise<LoadTotals> {
  return withLedger(load, env, signal, (client, at) => totalsOf(client, at, load.name));
}

/** Throws as readLedger(). */
export async function readStanding(load: LoadSettings, env: Env, signal: AbortSignal): Promise<LoadStanding> {
  return withLedger(load, env, signal, async (client, at) => {
    if (at === null) return { dead: 0, firstDead: null, failure: null };
    const { rows } = await client.query<{ dead: number }>(
      `select count(*)::float8 as dead from ${at}.load_drop where load = $1 and state = 'dead'`,
      [load.name],
    );
    const [{ dead }] = rows;
    const [firstDead = null] = dead > 0 ? await deadOf(client, at, load.name) : [];
    return { dead, firstDead, failure: await failureOf(client, at, load.name) };
  });
}

async function failureOf(client: pg.Client, at: string, load: string): Promise<LoadStanding['failure']> {
  // A ledger that no load of this version has used yet.
  const there = await client.query(`select to_regclass($1) is not null as there`, [`${at}.load_failure`]);
  if (!there.rows[0].there) return null;
  const { rows } = await client.query<NonNullable<LoadStanding['failure']>>(
    `select code, message, hint, extract(epoch from failed_at)::float8 * 1000 as at
     from ${at}.load_failure where load = $1`,
    [load],
  );
  return rows[0] ?? null;
}

async function withLedger<T>(
  { target, ledgerSchema }: LoadSettings,
  env: Env,
  signal: AbortSignal,
  read: (client: pg.Client, at: string | null) => Promise<T>,
): Promise<T> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  const options = {
    role: 'target',
    ...target,
    env,
    applicationName: 'tidemark status',
    connectMs: CONNECT_MS,
  } as const;
  const client = await connect(options, until);
  const stop = () => client.connection.stream.destroy();
  until.addEventListener('abort', stop, { once: true });
  try {
    await client.query(`begin isolation level repeatable read read only; set local statement_timeout = '5s'`);
    const { rows } = await client.query(
      `select 1 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       where n.nspname = $1 and c.relname = 'load_reject'`,
      [ledgerSchema],
    );
    return await read(client, rows.length === 0 ? null : sqlName(ledgerSchema));
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof TidemarkError) throw cause;
    throw new TidemarkError('TARGET_FAILED', `the ledger could not be read: ${toTidemarkError(cause).message}`, {
      cause,
    });
  } finally {
    until.removeEventListener('abort', stop);
    await disconnect(client);
  }
}

async function totalsOf(client: pg.Client, at: string | null, load: string): Promise<LoadTotals> {
  if (at === null) return { dead: 0, rejects: 0, sums: NOTHING };
  // By their partial indexes: quick, however many drops there are.
  const { rows } = await client.query<{ dead: number; rejects: number }>(
    `select (select count(*)::float8 from ${at}.load_drop where load = $1 and state = 'dead') as dead,
       (select count(*)::float8 from ${at}.load_reject where load = $1 and replayed_at is null) as rejects`,
    [load],
  );
  return { ...rows[0], sums: await sumsOf(client, at, load) };
}

const NOTHING: LoadSums = { loaded: 0, gone: 0, claimed: 0, rowsIn: 0, rowsOut: 0, rowsFiltered: 0, rowsKnown: 0 };
const CANCELED = '57014';

async function sumsOf(client: pg.Client, at: string, load: string): Promise<LoadSums | null> {
  await client.query(`savepoint sums; set local statement_timeout = '3s'`);
  try {
    const { rows } = await client.query<LoadSums>(
      `select count(*) filter (where state = 'loaded')::float8 as loaded, count(*) filter (where state = 'gone')::float8 as gone,
         count(*) filter (where state = 'claimed')::float8 as claimed, coalesce(sum(rows_in), 0)::float8 as "rowsIn",
         coalesce(sum(rows_out), 0)::float8 as "rowsOut", coalesce(sum(rows_filtered), 0)::float8 as "rowsFiltered",
         coalesce(sum(rows_known), 0)::float8 as "rowsKnown"
       from ${at}.load_drop where load = $1`,
      [load],
    );
    return rows[0];
  } catch (error) {
    if ((error as { code?: unknown }).code !== CANCELED) throw error;
    return null;
  } finally {
    await client.query('rollback to savepoint sums').catch(() => {});
  }
}

async function deadOf(client: pg.Client, at: string | null, load: string): Promise<DeadDrop[]> {
  if (at === null) return [];
  const { rows } = await client.query<DeadDrop>(
    `select key, bytes::float8 as bytes, left(error, ${TEXT}) as error, attempt,
       extract(epoch from finished_at)::float8 * 1000 as at
     from ${at}.load_drop where load = $1 and state = 'dead' order by load, key limit ${SHOWN}`,
    [load],
  );
  return rows;
}

async function rejectsOf(client: pg.Client, at: string | null, load: string): Promise<Reject[]> {
  if (at === null) return [];
  const { rows } = await client.query<Reject>(
    `select id::text as id, key, line::float8 as line, "column", left(reason, ${TEXT}) as reason, left(text, ${TEXT}) as text,
       length(text) > ${TEXT} as cut, extract(epoch from rejected_at)::float8 * 1000 as at, attempt
     from ${at}.load_reject where load = $1 and replayed_at is null order by load desc, id desc limit ${SHOWN}`,
    [load],
  );
  return rows;
}
