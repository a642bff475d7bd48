/** Through a transaction pooler: sessions are lent by the transaction, so that nothing of ours may hang on one. */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { batchOf, drop, EVENTS, openTarget, originals, settingsOf } from '../support/load-target.ts';
import { createDatabase } from '../support/postgres.ts';
import { never } from '../support/state.ts';

const PGBOUNCER = '/usr/sbin/pgbouncer';
const testWithPgbouncer = test.skipIf(!existsSync(PGBOUNCER) && !process.env.TIDEMARK_NO_SKIP);

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A pool of two sessions on the database. */
async function startPgbouncer(url: string): Promise<AsyncDisposable & { url: string }> {
  const at = new URL(url);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-pgbouncer-'));
  await chmod(folder, 0o755);
  const port = await freePort();
  await writeFile(path.join(folder, 'users'), '"postgres" "postgres"\n', { mode: 0o644 });
  await writeFile(
    path.join(folder, 'ini'),
    `[databases]\n* = host=127.0.0.1 port=${at.port} user=postgres password=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\n` +
      `auth_type = plain\nauth_file = ${folder}/users\npool_mode = transaction\ndefault_pool_size = 2\nunix_socket_dir =\n`,
    { mode: 0o644 },
  );
  const child = spawn(PGBOUNCER, ['-q', path.join(folder, 'ini')], {
    stdio: 'ignore',
    ...(process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}),
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const open = () =>
    new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
  for (let i = 0; i < 200 && !(await open()); i++) await sleep(25);
  return {
    url: Object.assign(new URL(url), { port: String(port) }).href,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await Promise.race([ended, sleep(2_000)]);
      child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

testWithPgbouncer('several processes load everything once through a pool of two sessions', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  await using pooler = await startPgbouncer(db.url);
  const settings = settingsOf(pooler.url, { connections: 2 });
  const pages = Array.from({ length: 6 }, (_, p) => Array.from({ length: 5 }, (_, i) => String(p * 5 + i)));
  const loaded = await Promise.all(
    [0, 1, 2].map(async (n) => {
      await using target = await openTarget(settings);
      let drops = 0;
      for (const page of [...pages.slice(n * 2), ...pages.slice(0, n * 2)]) {
        const claimed = await target.claim(
          page.map((key) => drop(key)),
          never,
        );
        const rows = (key: string) => Array.from({ length: 20 }, (_, i) => [Number(key) * 20 + i, key, 1]);
        drops += (await target.load(batchOf(claimed, rows), originals, never)).drops.length;
      }
      return drops;
    }),
  );
  expect(loaded.reduce((sum, n) => sum + n)).toBe(30);
  expect(await db.query('select count(*)::int as n from events')).toEqual([{ n: 600 }]);
  expect(
    await db.query('select sum(rows_out)::int as out, sum(rows_known)::int as known from tidemark.load_drop'),
  ).toEqual([{ out: 600, known: 0 }]);
  // Nothing of ours is left in the pool's sessions.
  expect(
    await db.query(
      `select count(*)::int as n from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
    ),
  ).toEqual([{ n: 0 }]);
});
