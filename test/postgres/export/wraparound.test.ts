import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { expect } from 'vitest';
import { debianBinDir, testWithDebianPostgres } from '../../support/debian-postgres.ts';
import { createExporter } from '../../support/exporter.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres-server.ts';

const WRAP = 2n ** 32n;

/** Lets the server, which is stopped, go on with this transaction id. Needs every row frozen. */
function setNextId(server: PostgresServer, id: bigint): void {
  const low = id % WRAP;
  const segment = path.join(
    server.dataDir,
    'pg_xact',
    (low / (32n * 32768n)).toString(16).toUpperCase().padStart(4, '0'),
  );
  if (!existsSync(segment)) writeFileSync(segment, Buffer.alloc(32 * 8192));
  const ids = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  if (process.getuid?.() === 0) execFileSync('chown', ['65534:65534', segment]);
  const args = ['-f', '-D', server.dataDir, '-e', String(id / WRAP), '-x', String(low)];
  execFileSync(path.join(server.binDir, 'pg_resetwal'), args, { ...ids, stdio: 'pipe', cwd: server.dataDir });
}

async function connected(server: PostgresServer): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url() });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function frozenTable(server: PostgresServer): Promise<void> {
  const client = await connected(server);
  await client.query('create table invoice (id bigint primary key, updated_at timestamptz not null default now())');
  // Dated long ago, as rows are that were frozen an age ago.
  await client.query("insert into invoice select i, '2001-01-01' from generate_series(1, 10) i");
  await client.query('vacuum freeze');
  await client.end();
}

const settings = { autovacuum: 'off' };
const nextId = async (client: pg.Client) =>
  BigInt((await client.query('select pg_snapshot_xmax(pg_current_snapshot())::text as x')).rows[0].x);

testWithDebianPostgres('runs on both sides of the 32-bit wrap miss nothing and repeat nothing', async () => {
  await using server = await startPostgres({ binDir: debianBinDir(), settings });
  await frozenTable(server);
  await server.stop();
  setNextId(server, WRAP - 40n);
  await server.start();
  const client = await connected(server);
  await using exporter = await createExporter(server.url());
  expect(await exporter.run('invoice')).toMatchObject({ rows: 10n });
  expect((await exporter.mark('invoice'))!.xmin).toBeLessThan(WRAP);
  const slow = await connected(server);
  await slow.query('begin; insert into invoice values (1000); savepoint a; insert into invoice values (1001)');
  expect(await nextId(client)).toBeLessThan(WRAP);
  for (let i = 0; i < 60; i++) await client.query(`insert into invoice values (${2000 + i})`);
  expect(await nextId(client)).toBeGreaterThan(WRAP);
  expect(await exporter.run('invoice')).toMatchObject({ rows: 60n });
  await client.query('update invoice set updated_at = now() where id <= 3');
  await slow.query('commit');
  expect(await exporter.run('invoice')).toMatchObject({ rows: 5n, lateRows: 2n });
  expect(await exporter.run('invoice')).toMatchObject({ state: 'nothing' });
  await slow.end();
  await client.end();
});

testWithDebianPostgres('a row frozen an age ago does not pass for one of a transaction that runs now', async () => {
  await using server = await startPostgres({ binDir: debianBinDir(), settings });
  await frozenTable(server);
  const before = await connected(server);
  // The raw xmin that the frozen rows keep, and that a transaction will get again, 2^32 ids later.
  const { rows } = await before.query('select xmin::text::int8 as x from invoice limit 1');
  const old = BigInt(rows[0].x);
  await before.end();
  await server.stop();
  setNextId(server, WRAP + old - 20n);
  await server.start();
  const client = await connected(server);
  await using exporter = await createExporter(server.url());
  await exporter.state.status();
  while ((await nextId(client)) < WRAP + old) await client.query('select pg_current_xact_id()');
  const slow = await connected(server);
  await slow.query('begin; insert into invoice values (1000)');
  expect((await slow.query('select pg_current_xact_id()::text as x')).rows[0].x).toBe(String(WRAP + old));
  for (let i = 0; i < 5; i++) await client.query(`insert into invoice values (${2000 + i})`);
  expect(await exporter.run('invoice')).toMatchObject({ rows: 15n });
  await slow.query('commit');
  expect(await exporter.run('invoice')).toMatchObject({ rows: 1n });
  await slow.end();
  await client.end();
});

testWithDebianPostgres(
  'rows frozen an age ago come with their chunk, when by then they look like new ones, too',
  async () => {
    await using server = await startPostgres({ binDir: debianBinDir(), settings });
    const before = await connected(server);
    await before.query(`create table invoice (id bigint primary key, pad text not null default repeat('x', 700),
    updated_at timestamptz not null default now())`);
    await before.query("insert into invoice select i, repeat('x', 700), '2001-01-01' from generate_series(1, 200) i");
    const { rows } = await before.query('select xmin::text::int8 as x from invoice limit 1');
    const old = BigInt(rows[0].x);
    await before.query('vacuum freeze');
    await before.end();
    await server.stop();
    setNextId(server, WRAP + old - 60n);
    await server.start();
    const client = await connected(server);
    await using exporter = await createExporter(server.url(), { connections: 1 });
    await exporter.state.status();
    expect(await nextId(client)).toBeLessThan(WRAP + old);
    let done = 0;
    const outcome = await exporter.run('invoice', {
      settings: { chunkBytes: 48 << 10 },
      step: async (name) => {
        if (name !== 'chunk-noted' || ++done !== 2) return;
        await client.query('update invoice set updated_at = now() where id in (1, 200)');
        while ((await nextId(client)) < WRAP + old + 10n) await client.query('select pg_current_xact_id()');
      },
    });
    expect(done).toBeGreaterThan(3);
    expect(outcome).toMatchObject({ rows: 199n });
    // The run had the first version of row 1 already, and nothing of row 200.
    expect(await exporter.run('invoice')).toMatchObject({ rows: 2n });
    expect(new Set((await exporter.rows('invoice')).map((row) => row.id)).size).toBe(200);
    await client.end();
  },
);
