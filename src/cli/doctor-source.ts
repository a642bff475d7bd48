/** doctor's look at the source's server. Reads only. */

import type pg from 'pg';
import { formatSeconds } from '../model/format.ts';
import { quoteName } from '../model/table.ts';
import { requireVersion } from '../postgres/connect.ts';
import { whatServerTells } from '../postgres/history.ts';
import { type Check, failed } from './doctor-check.ts';

const LONG_SECONDS = 3600;
/** A writer's rows are late ones, and the floor cannot pass its start. */
const LONG_WRITER_SECONDS = 600;
const CLOCK_SECONDS = 30;

type Facts = {
  user: string;
  database: string;
  standby: boolean;
  stats: boolean;
  track: boolean;
  tls: string | null;
  local: boolean;
  clock: number;
};

const FACTS = `select current_user as user, current_database() as database, pg_is_in_recovery() as standby,
  pg_has_role(current_user, 'pg_read_all_stats', 'usage') as stats, current_setting('track_activities')::bool as track,
  (select version from pg_stat_ssl where pid = pg_backend_pid() and ssl) as tls,
  coalesce(inet_client_addr() <<= '127.0.0.0/8' or inet_client_addr() = '::1', true) as local,
  extract(epoch from clock_timestamp())::float8 as clock`;

const OPEN = `select pid, application_name as name, usename as user, backend_xid is not null as writes,
  to_char(least(xact_start, query_start) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS+00') as since,
  extract(epoch from clock_timestamp() - least(xact_start, query_start))::float8 as seconds
  from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and state <> 'idle'
    and pid <> pg_backend_pid() and least(xact_start, query_start) < clock_timestamp()
      - make_interval(secs => case when backend_xid is null then $1::float8 else $2::float8 end)
  order by seconds desc limit 5`;

const PREPARED = `select gid, to_char(prepared at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS+00') as since, extract(epoch from clock_timestamp() - prepared)::float8 as seconds from pg_prepared_xacts
  where database = current_database() and prepared < clock_timestamp() - make_interval(secs => $1) order by prepared limit 5`;

/** `now`: our clock in seconds. `longSeconds`: transactions that have been open for longer are shown; writers sooner. */
export async function checkSource(
  client: pg.Client,
  stateIsSource: boolean,
  now: () => number,
  longSeconds = LONG_SECONDS,
): Promise<Check[]> {
  const before = now();
  const facts = (await client.query<Facts>(FACTS)).rows[0];
  // The server read its clock somewhere between the question and the answer.
  const skew = facts.clock - (before + now()) / 2;
  return [
    connection(facts, client),
    await version(client),
    primary(facts, stateIsSource),
    await history(client),
    ...activity(facts),
    ...(facts.standby ? [] : await openTransactions(client, longSeconds)),
    clock(skew),
  ];
}

export const source = (check: string, state: Check['state'], found: string, remedy?: string): Check => ({
  group: 'source',
  check,
  state,
  found,
  remedy,
});

function connection({ user, database, tls, local }: Facts, { host, port }: pg.Client): Check {
  const where = `${database} at ${host.startsWith('/') ? host : `${host}:${port}`} as ${user}`;
  if (tls) return source('connection', 'ok', `${where}, ${tls}`);
  if (local) return source('connection', 'ok', `${where}, not encrypted (the same machine)`);
  return source(
    'connection',
    'warn',
    `${where}, not encrypted`,
    'sslmode=verify-full in source.url, with tls: { ca: … }',
  );
}

async function version(client: pg.Client): Promise<Check> {
  try {
    return source('version', 'ok', `Postgres ${(await requireVersion(client)).text}`);
  } catch (error) {
    return failed('source', 'version', error);
  }
}

function primary({ standby }: Facts, stateIsSource: boolean): Check {
  if (!standby) return source('primary', 'ok', 'takes writes');
  if (!stateIsSource) return source('primary', 'ok', 'a standby, with the state elsewhere');
  return source(
    'primary',
    'fail',
    'a standby, which cannot keep the state store',
    'state.url: a database that takes writes',
  );
}

/** Whether a failover or a restore will be noticed. */
async function history(client: pg.Client): Promise<Check> {
  const tells = await whatServerTells(client, 'in a transaction');
  const hidden = [
    ...(tells.system ? [] : ['system']),
    ...(tells.timeline ? [] : ['timeline']),
    ...(tells.lsn ? [] : ['position in the WAL']),
  ];
  if (hidden.length === 0) return source('history', 'ok', 'a failover or a restore is noticed');
  return source(
    'history',
    'warn',
    `the server does not tell its ${hidden.join(', ')}: a failover or a restore may not be noticed`,
    'after one: tidemark export --all --full',
  );
}

function activity({ stats, track, user, database }: Facts): Check[] {
  const blind = 'a run cannot see how long transactions have been open, and looks back by `late` instead';
  const checks: Check[] = [];
  if (stats) checks.push(source('activity', 'ok', 'the activity of all roles is visible'));
  else
    checks.push(
      source(
        'activity',
        'warn',
        `the activity of other roles is hidden: ${blind}`,
        `GRANT pg_read_all_stats TO ${quoteName(user)}`,
      ),
    );
  if (track) checks.push(source('track_activities', 'ok', 'on'));
  else
    checks.push(
      source(
        'track_activities',
        'warn',
        `off: ${blind}`,
        `ALTER DATABASE ${quoteName(database)} SET track_activities = on`,
      ),
    );
  return checks;
}

/** On the server that takes writes. */
export async function openTransactions(client: pg.Client, longSeconds = LONG_SECONDS): Promise<Check[]> {
  const effect = 'no run waits for it, but each reads back to its start';
  const writerSeconds = Math.min(longSeconds, LONG_WRITER_SECONDS);
  type Open = { pid: number; name: string; user: string; writes: boolean; since: string; seconds: number };
  const { rows: open } = await client.query<Open>(OPEN, [longSeconds, writerSeconds]);
  type Waiting = { gid: string; since: string; seconds: number };
  const { rows: prepared } = await client.query<Waiting>(PREPARED, [writerSeconds]);
  const checks = [
    ...open.map(({ pid, name, user, writes, since, seconds }) =>
      source(
        'transactions',
        'warn',
        `process ${pid} (${name || user}) has been ${writes ? 'writing' : 'at it'} for ${formatSeconds(seconds)}, since ${since}: ${effect}`,
        `SELECT pg_terminate_backend(${pid}), if it was left behind`,
      ),
    ),
    ...prepared.map(({ gid, since, seconds }) =>
      source(
        'transactions',
        'warn',
        `prepared transaction ${gid} has been open for ${formatSeconds(seconds)}, since ${since}: ${effect}`,
        `ROLLBACK PREPARED '${gid.replaceAll("'", "''")}', if it was left behind`,
      ),
    ),
  ];
  return checks.length > 0
    ? checks
    : [source('transactions', 'ok', 'none open for more than an hour, no writer for more than ten minutes')];
}

function clock(skew: number): Check {
  const apart = `${Math.abs(skew).toFixed(1)} s ${skew < 0 ? 'behind' : 'ahead of'} ours`;
  if (Math.abs(skew) < CLOCK_SECONDS) return source('clock', 'ok', Math.abs(skew) < 1 ? 'as ours' : apart);
  return source('clock', 'warn', `the server's is ${apart}`, 'set both by NTP; lags that are shown are off by as much');
}
