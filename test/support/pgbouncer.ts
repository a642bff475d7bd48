/** A pgbouncer of its own before a server; skipped where Debian's is not installed. */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import { freePort } from './free-port.ts';

const PGBOUNCER = '/usr/sbin/pgbouncer';
const NOBODY = 65534;

/** Skipped, by name, where pgbouncer is not installed; where nothing may be skipped it fails. */
export const testWithPgbouncer = test.skipIf(!existsSync(PGBOUNCER) && !process.env.TIDEMARK_NO_SKIP);

export type Pgbouncer = AsyncDisposable & {
  port: number;
  /** The given URL, through the pooler. */
  through(url: string): string;
};

/**
 * `url`: a superuser's, of the server. Sessions are lent in turn, so that statements outside a transaction meet different
 * ones. `logins`: whom the pooler knows, with the password; they log in at the server as themselves. `only`: the one database
 * that it knows.
 */
export async function startPgbouncer(
  url: string,
  options: {
    poolMode?: 'session' | 'transaction' | 'statement';
    settings?: string[];
    logins?: [string, string][];
    only?: string;
  } = {},
): Promise<Pgbouncer> {
  const server = new URL(url);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-pgbouncer-'));
  await chmod(folder, 0o755);
  const port = await freePort();
  const logins = [[server.username, server.password], ...(options.logins ?? [])];
  await writeFile(path.join(folder, 'users'), logins.map(([user, password]) => `"${user}" "${password}"\n`).join(''));
  const lines = [
    '[databases]',
    'unreachable = host=127.0.0.1 port=1',
    `${options.only ?? '*'} = host=127.0.0.1 port=${server.port}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = plain',
    `auth_file = ${folder}/users`,
    `pool_mode = ${options.poolMode ?? 'transaction'}`,
    'default_pool_size = 3',
    'server_round_robin = 1',
    ...(options.settings ?? []),
  ];
  await writeFile(path.join(folder, 'ini'), lines.join('\n'));
  const child = spawn(PGBOUNCER, ['-q', path.join(folder, 'ini')], {
    stdio: 'ignore',
    ...(process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for (let tries = 0; !(await answers(port)); tries++) {
    if (tries === 1200 || child.exitCode !== null) throw new Error('pgbouncer does not start');
    await sleep(25);
  }
  return {
    port,
    through: (given) => Object.assign(new URL(given), { port: String(port) }).href,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await Promise.race([ended, sleep(2_000)]);
      child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
