/** Servers that are made of others: by pg_basebackup, following or alone, and by a copy of a stopped one's folder. */

import { execFile } from 'node:child_process';
import { chown, cp, mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type PostgresServer, startPostgres } from './postgres-server.ts';

const NOBODY = 65534;
const asRoot = process.getuid?.() === 0;
const ids = asRoot ? { uid: NOBODY, gid: NOBODY } : {};

async function emptyRoot(): Promise<string> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'tidemark-copy-'));
  if (asRoot) await chown(root, NOBODY, NOBODY);
  return root;
}

/** A folder that startPostgres() takes as a server's, with a base backup in it; `follows`: as a standby of the server. */
export async function baseBackup(server: PostgresServer, follows: boolean): Promise<string> {
  const root = await emptyRoot();
  const args = ['-d', server.url(), '-D', path.join(root, 'data'), '-c', 'fast', '-X', 'stream'];
  await promisify(execFile)(path.join(server.binDir, 'pg_basebackup'), follows ? [...args, '-R'] : args, {
    ...ids,
    cwd: root,
  });
  return root;
}

/** The folder of a server that does not run. */
export async function copyOf(server: PostgresServer): Promise<string> {
  const root = await emptyRoot();
  await cp(server.dataDir, path.join(root, 'data'), { recursive: true, preserveTimestamps: true });
  if (asRoot) await promisify(execFile)('chown', ['-R', `${NOBODY}:${NOBODY}`, root]);
  await promisify(execFile)('chmod', ['700', path.join(root, 'data')]);
  return root;
}

/** A standby that streams from the server. */
export async function startStandby(
  primary: PostgresServer,
  settings: Record<string, string> = {},
): Promise<PostgresServer> {
  return startPostgres({ binDir: primary.binDir, dataDir: await baseBackup(primary, true), settings });
}

/** Runs one statement on a connection of its own. */
export async function ask<R extends pg.QueryResultRow>(url: string, text: string, values?: unknown[]): Promise<R[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<R>(text, values as never)).rows;
  } finally {
    await client.end();
  }
}

/** Waits until the standby has replayed what the primary has written so far. */
export async function caughtUp(primary: PostgresServer, standby: PostgresServer): Promise<void> {
  const [{ lsn }] = await ask<{ lsn: string }>(primary.url(), 'select pg_current_wal_lsn()::text as lsn');
  const query = 'select pg_last_wal_replay_lsn() >= $1::pg_lsn as yes';
  for (let tries = 0; tries < 1500; tries++) {
    const [{ yes }] = await ask<{ yes: boolean }>(standby.url(), query, [lsn]);
    if (yes) return;
    await new Promise((go) => setTimeout(go, 20));
  }
  throw new Error('the standby did not catch up within 30 s');
}

/** Resolves once it takes writes. */
export async function promote(standby: PostgresServer): Promise<void> {
  await ask(standby.url(), 'select pg_promote(true, 30)');
}
