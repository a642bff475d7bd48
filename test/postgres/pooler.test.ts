/** The source and its state store through pgbouncer in transaction mode, whose sessions are lent in turn: nothing may hang on one. */

import pg from 'pg';
import { afterAll, beforeAll, expect } from 'vitest';
import { connect, disconnect } from '../../src/postgres/connect.ts';
import { NO_HISTORY } from '../../src/postgres/history.ts';
import { lookAtActivity } from '../../src/postgres/look.ts';
import { runCli } from '../support/cli.ts';
import { type ExportScene, expectError, exportScene, variable } from '../support/export-scene.ts';
import { createExporter } from '../support/exporter.ts';
import { type Pgbouncer, startPgbouncer, testWithPgbouncer } from '../support/pgbouncer.ts';
import { createDatabase } from '../support/postgres.ts';

let scene: ExportScene;
let pooler: Pgbouncer | undefined;

beforeAll(async () => {
  scene = await exportScene();
});

afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

const SETTINGS = ['DateStyle', 'TimeZone', 'search_path', 'statement_timeout', 'lock_timeout', 'extra_float_digits'];

/** What the sessions of the pool have set, as many as can be met at once. */
async function poolSettings(url: string): Promise<string[][]> {
  const clients = await Promise.all(
    [1, 2, 3].map(async () => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query('begin');
      return client;
    }),
  );
  const found: string[][] = [];
  for (const client of clients) {
    const asked = SETTINGS.map((name) => `current_setting('${name}')`);
    found.push((await client.query({ text: `select ${asked.join()}`, rowMode: 'array' })).rows[0]);
    await client.end();
  }
  return found;
}

testWithPgbouncer(
  'init, doctor, export, dry run and status work through it, and leave nothing set in its sessions',
  async () => {
    pooler = await startPgbouncer(scene.db.url);
    const url = pooler.through(scene.db.url);
    const before = await poolSettings(url);
    await scene.table('invoice');
    await scene.table('odd', 20);
    const env = { DATABASE_URL: url, STATE_URL: url };
    const run = async (...args: string[]) => {
      const ended = await scene.run(args, {}, env);
      expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 });
      return ended.stdout;
    };
    const inited = await runCli(['init', '--source', url, '--config', 'made.yaml'], { cwd: scene.cwd });
    expect(inited, inited.stderr).toMatchObject({ code: 0 });
    await run('migrate');
    await run('doctor');
    expect(await run('export', '--all')).toMatch(/public\.invoice .*100 rows/);
    await scene.db.query('insert into invoice select generate_series(101, 103)');
    expect(await run('export', '--all', '--dry-run')).toMatch(/invoice/);
    expect(await run('export', '--all')).toMatch(/public\.invoice .*3 rows/);
    expect(await run('status')).toMatch(/public\.invoice/);
    await scene.isWholeAfterwards('invoice', { source: { url: variable('STATE_URL') } }, env);
    expect(await poolSettings(url)).toEqual(before);
  },
);

testWithPgbouncer('a transaction that was open through two runs is picked up after its commit, once', async () => {
  await using db = await createDatabase();
  await using pool = await startPgbouncer(db.url);
  const url = pool.through(db.url);
  await db.query('create table t (id int primary key, updated_at timestamptz not null default now())');
  await db.query('insert into t values (1)');
  await using exporter = await createExporter(url);
  await exporter.run('t');
  const writer = new pg.Client({ connectionString: url });
  await writer.connect();
  await writer.query('begin; insert into t values (2)');
  await db.query('insert into t values (3)');
  expect(await exporter.run('t')).toMatchObject({ rows: 1n });
  await exporter.run('t');
  await writer.query('commit');
  await writer.end();
  expect(await exporter.run('t')).toMatchObject({ rows: 1n });
  expect((await exporter.rows('t')).map((row) => row.id).sort()).toEqual(['1', '2', '3']);
});

testWithPgbouncer('a made-up process id that happens to be that of a writer does not hide the writer', async () => {
  await using db = await createDatabase();
  await using pool = await startPgbouncer(db.url);
  const client = await connect({ role: 'source', url: pool.through(db.url), env: {} }, new AbortController().signal);
  await db.query('begin');
  const [{ pid }] = await db.query<{ pid: number }>('select pg_backend_pid() as pid');
  const { processID } = client as unknown as { processID: number };
  const look = await lookAtActivity(client, [processID, pid], { mark: null, asks: NO_HISTORY });
  expect(look.oldestStart).not.toBeNull();
  await db.query('rollback');
  await disconnect(client);
});

testWithPgbouncer('a COPY that the pooler cuts off: its words, and which settings', async () => {
  await using pool = await startPgbouncer(scene.db.url, { settings: ['query_timeout = 1'] });
  await scene.table('slow', 30);
  const tables = [{ table: 'slow', where: "pg_catalog.pg_sleep(0.2)::text = ''" }];
  const ended = await scene.export('slow', {
    source: { url: pool.through(scene.db.url) },
    state: { url: variable('STATE_URL') },
    tables,
  });
  expectError(ended, { exit: 1, code: 'SOURCE_LOST', says: /query timeout/, hint: /query_timeout/ });
});
