/**
 * Opens one connection. Invariant: the startup packet holds nothing that pgbouncer refuses, every wait has a limit, and
 * what comes back is encrypted and verified as the URL's sslmode demands.
 */

import pg from 'pg';
import { TidemarkError } from '../model/error.ts';
import { requireChannelBinding } from './channel-binding.ts';
import { connectError, noneOf, plainRefused, tellingOne, tlsRefused } from './connect-error.ts';
import { type ConnectionPlan, type ConnectOptions, connectionOptions, type DatabaseRole } from './connect-options.ts';
import { tlsSettings } from './connect-tls.ts';
import { CopySocket } from './copy-socket.ts';
import type { HostPort } from './database-url.ts';
import { rdsToken } from './rds-token.ts';
import { requireAttrs } from './session-attrs.ts';

const GOODBYE_MS = 2_000;

/** date, timestamp, timestamptz, interval and the arrays of them: a Date would cut microseconds and know no infinity. */
const AS_TEXT = new Set([1082, 1114, 1184, 1186, 1182, 1115, 1185, 1187]);

const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    AS_TEXT.has(oid) ? (value: string) => value : pg.types.getTypeParser(oid, format as 'text'),
};

/**
 * A connected client; end it with disconnect(). Of several hosts it is the first one that answers and is what the URL's
 * target_session_attrs asks for. Throws CONFIG_INVALID, SOURCE_*, STATE_* or TARGET_* (UNREACHABLE, AUTH, TLS, DATABASE,
 * GRANT), or the signal's reason.
 */
export async function connect(options: ConnectOptions, signal: AbortSignal): Promise<pg.Client> {
  const plan = connectionOptions(options);
  const refusals: TidemarkError[] = [];
  for (const at of plan.hosts) {
    try {
      return await connectTo(at, plan, options.role, signal);
    } catch (error) {
      signal.throwIfAborted();
      // As libpq: one that refuses the login is not passed over.
      if (!(error instanceof TidemarkError) || !error.code.endsWith('_UNREACHABLE')) throw error;
      refusals.push(error);
    }
  }
  throw refusals.length === 1 ? refusals[0] : noneOf(refusals);
}

/** One host, encrypted or not, as sslmode says. */
async function connectTo(at: HostPort, plan: ConnectionPlan, role: DatabaseRole, signal: AbortSignal) {
  const attempts = at.host?.startsWith('/') ? ['plain'] : plan.tls.attempts;
  const failures: TidemarkError[] = [];
  for (const [i, attempt] of attempts.entries()) {
    const ssl = attempt === 'tls' ? await tlsSettings(plan.tls, at.host, role) : false;
    // TLS reads by itself and gives each chunk a buffer of its own; without it we can do better.
    const stream = ssl ? undefined : () => new CopySocket();
    const client = new pg.Client({ ...plan.client, ...at, types, ssl, stream });
    // Without a listener, a connection that the server ends while nobody uses it ends the process.
    client.on('error', () => {});
    if (plan.client.enableChannelBinding) requireChannelBinding(client);
    try {
      if (plan.token) client.password = await tokenFor(client, plan, role, signal);
      await opened(client, plan, role, signal);
      return client;
    } catch (error) {
      client.connection.stream.destroy();
      signal.throwIfAborted();
      if (!(error instanceof TidemarkError)) throw error;
      failures.push(error);
      const refused = attempt === 'tls' ? tlsRefused : plainRefused;
      if (i === attempts.length - 1 || !refused(error.cause)) throw tellingOne(failures);
    }
  }
  throw new Error('there was nothing to try');
}

function tokenFor({ host, port, user = '' }: pg.Client, plan: ConnectionPlan, role: DatabaseRole, signal: AbortSignal) {
  const until = AbortSignal.any([signal, AbortSignal.timeout(plan.connectMs)]);
  return rdsToken({ host, port, user, region: plan.token!.region }, role, until);
}

/** Waits until the client is ready, the limit is over, or the signal comes. */
async function opened(client: pg.Client, plan: ConnectionPlan, role: DatabaseRole, signal: AbortSignal) {
  signal.throwIfAborted();
  const stop = () => client.connection.stream.destroy();
  let timedOut: number | null = null;
  const limit = setTimeout(() => {
    timedOut = plan.connectMs;
    stop();
  }, plan.connectMs);
  signal.addEventListener('abort', stop);
  const { host, port, user = '', database = '' } = client;
  try {
    await client.connect();
    if (plan.sessionAttrs !== 'any') await requireAttrs(client, plan.sessionAttrs);
  } catch (error) {
    throw connectError(error, { role, host, port, user, database }, timedOut);
  } finally {
    clearTimeout(limit);
    signal.removeEventListener('abort', stop);
  }
}

/** Ends the connection; never throws, never waits long. What is in the middle of something is cut off. */
export async function disconnect(client: pg.Client): Promise<void> {
  const limit = setTimeout(() => client.connection.stream.destroy(), GOODBYE_MS);
  await client.end().catch(() => {});
  clearTimeout(limit);
}

/** The server's version as a number (160004) and as text. Throws SOURCE_VERSION when it is older than 14. */
export async function requireVersion(client: pg.ClientBase): Promise<{ number: number; text: string }> {
  const { rows } = await client.query<{ number: string; text: string }>(
    `select current_setting('server_version_num') as number, current_setting('server_version') as text`,
  );
  const version = { number: Number(rows[0].number), text: rows[0].text };
  if (version.number < 140000) {
    throw new TidemarkError('SOURCE_VERSION', `the source is Postgres ${version.text}; tidemark needs 14 or newer`, {
      hint: 'older servers have no 64-bit snapshots (pg_current_snapshot) of the kind that the mark is made of',
    });
  }
  return version;
}
