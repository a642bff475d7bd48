/**
 * Opens one connection. Invariant: the startup packet holds nothing that pgbouncer refuses, every wait has a limit, and
 * what comes back is encrypted and verified as the URL's sslmode demands.
 */

import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { checkServerIdentity, type ConnectionOptions as NodeTls } from 'node:tls';
import pg from 'pg';
import { TidemarkError } from '../model/error.ts';
import { type ConnectPlace, connectError, plainRefused, tlsRefused } from './connect-error.ts';
import { type ConnectionPlan, type ConnectOptions, connectionOptions } from './connect-options.ts';
import { CopySocket } from './copy-socket.ts';

const GOODBYE_MS = 2_000;

/** date, timestamp, timestamptz, interval and the arrays of them: a Date would cut microseconds and know no infinity. */
const AS_TEXT = new Set([1082, 1114, 1184, 1186, 1182, 1115, 1185, 1187]);

const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    AS_TEXT.has(oid) ? (value: string) => value : pg.types.getTypeParser(oid, format as 'text'),
};

/**
 * A connected client; end it with disconnect(). Throws CONFIG_INVALID, SOURCE_*, STATE_* or TARGET_* (UNREACHABLE, AUTH, TLS,
 * DATABASE, GRANT), or the signal's reason.
 */
export async function connect(options: ConnectOptions, signal: AbortSignal): Promise<pg.Client> {
  const plan = connectionOptions(options);
  const secure = plan.tls.attempts.includes('tls') ? await tlsSettings(plan, options) : null;
  for (const [i, attempt] of plan.tls.attempts.entries()) {
    const last = i === plan.tls.attempts.length - 1;
    const ssl = attempt === 'tls' ? secure! : false;
    // TLS reads by itself and gives each chunk a buffer of its own; without it we can do better.
    const stream = ssl ? undefined : () => new CopySocket();
    const client = new pg.Client({ ...plan.client, types, ssl, stream });
    // Without a listener, a connection that the server ends while nobody uses it ends the process.
    client.on('error', () => {});
    try {
      await opened(client, plan, options.role, signal);
      return client;
    } catch (error) {
      client.connection.stream.destroy();
      signal.throwIfAborted();
      const refused = attempt === 'tls' ? tlsRefused : plainRefused;
      if (last || !(error instanceof TidemarkError) || !refused(error.cause)) throw error;
    }
  }
  throw new Error('there was nothing to try');
}

/** Waits until the client is ready, the limit is over, or the signal comes. */
async function opened(client: pg.Client, plan: ConnectionPlan, role: ConnectOptions['role'], signal: AbortSignal) {
  signal.throwIfAborted();
  const stop = () => client.connection.stream.destroy();
  let timedOut: number | null = null;
  const limit = setTimeout(() => {
    timedOut = plan.connectMs;
    stop();
  }, plan.connectMs);
  signal.addEventListener('abort', stop);
  try {
    await client.connect();
  } catch (error) {
    throw connectError(error, placeOf(client, role), timedOut);
  } finally {
    clearTimeout(limit);
    signal.removeEventListener('abort', stop);
  }
}

function placeOf(client: pg.Client, role: ConnectOptions['role']): ConnectPlace {
  const { host, port, user = '', database = '' } = client;
  return { role, host, port, user, database };
}

async function tlsSettings(plan: ConnectionPlan, { role }: ConnectOptions): Promise<NodeTls> {
  const { verify, certFile, keyFile } = plan.tls;
  const settings: NodeTls = { rejectUnauthorized: verify !== 'none' };
  const ca = plan.tls.ca ?? (await defaultRoot());
  if (verify === 'chain' && ca === null) {
    throw new TidemarkError('CONFIG_INVALID', `sslmode=verify-ca needs to know which authority signs the ${role}`, {
      hint: 'name it: tls: { ca: ./ca.pem }, or sslrootcert=… in the URL; or use sslmode=verify-full',
    });
  }
  if (ca !== null && ca !== 'system' && verify !== 'none')
    settings.ca = await fileOf(ca, 'certificate authority', role);
  if (verify === 'chain') settings.checkServerIdentity = () => undefined;
  else {
    // By the host we dialled: for an address Node would compare the certificate with `localhost`.
    settings.checkServerIdentity = (_, certificate) =>
      checkServerIdentity(plan.client.host ?? 'localhost', certificate);
  }
  if (certFile) settings.cert = await fileOf(certFile, 'client certificate', role);
  if (keyFile) settings.key = await fileOf(keyFile, "client certificate's key", role);
  return settings;
}

/** libpq's default place. */
async function defaultRoot(): Promise<string | null> {
  const file = path.join(os.homedir(), '.postgresql', 'root.crt');
  return readFile(file).then(
    () => file,
    () => null,
  );
}

async function fileOf(file: string, what: string, role: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code;
    throw new TidemarkError('CONFIG_INVALID', `the ${role}'s ${what} cannot be read from ${file} (${why})`, {
      cause,
      hint: 'tls.ca is relative to the configuration file, sslrootcert in a URL to the current folder',
    });
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
