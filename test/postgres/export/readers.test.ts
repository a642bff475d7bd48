/** Several connections read one table, under one snapshot. */

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import { createExporter } from '../../support/exporter.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

/** Some 200 MB in 40,000 rows, in two partitions of which one has few. */
async function largeTable(db: TestDatabase): Promise<void> {
  await db.query(`create table wide (id int primary key, pad text not null, updated_at timestamptz not null default now())
    partition by range (id)`);
  await db.query('create table wide_a partition of wide for values from (0) to (2000)');
  await db.query('create table wide_b partition of wide for values from (2000) to (100000)');
  await db.query('alter table wide_a alter pad set storage plain');
  await db.query('alter table wide_b alter pad set storage plain');
  await db.query(`insert into wide select i, repeat('x', 5000) from generate_series(1, 24000) i`);
}

/** So that the sockets wait while rows are left. */
const SMALL_GROUPS = { rows: 1_000, bytes: 32 << 20 };
const ids = (rows: Record<string, string | null>[]) => rows.map((row) => Number(row.id)).sort((a, b) => a - b);
const COPIES = `select pid from pg_stat_activity where datname = current_database() and query like 'copy (%' and state = 'active'`;
const all = Array.from({ length: 24_000 }, (_, i) => i + 1);

test('a first export, one in chunks, and a scan: every row once, with the connections that are free', async () => {
  await using db = await createDatabase();
  await largeTable(db);
  await using exporter = await createExporter(db.url, { connections: 3 });
  exporter.deps.groups = SMALL_GROUPS;
  const settings = { readers: 3, cursor: 'none' as const };
  // Who stands in the server's list of transactions while rows come.
  let most = 0;
  const watch = new pg.Client({ connectionString: db.url });
  watch.on('error', () => {});
  await watch.connect();
  const step = async (name: string) => {
    // The first row group waits for the run's number: the others fill up, and then the sockets wait.
    if (name !== 'plan') return;
    for (const until = Date.now() + 60_000; most < 3 && Date.now() < until; await sleep(50)) {
      const { rows } = await watch.query(`select count(*)::int as n from (${COPIES}) c`);
      most = Math.max(most, rows[0].n);
    }
  };
  expect(await exporter.run('wide', { settings, step })).toMatchObject({ rows: 24_000n });
  expect(ids(await exporter.rows('wide'))).toEqual(all);
  expect(most).toBe(3);
  await db.query(`update wide set pad = 'y' where id % 100 = 0`);
  expect(await exporter.run('wide', { settings })).toMatchObject({ rows: 240n });
  expect(await exporter.run('wide', { settings })).toMatchObject({ state: 'nothing' });
  const again = { ...settings, folder: 'again', chunkBytes: 60 << 20 };
  expect(await exporter.run('wide', { settings: again })).toMatchObject({ rows: 24_000n });
  expect(ids(await exporter.rows('again'))).toEqual(all);

  // With one connection it goes on alone; so it does when the table is locked for newcomers.
  await using alone = await createExporter(db.url, { connections: 1 });
  expect(await alone.run('wide', { settings: { ...settings, folder: 'alone' } })).toMatchObject({ rows: 24_000n });
  await watch.end();
});

test('who cannot join is not waited for; who fails on the way ends the run', async () => {
  await using db = await createDatabase();
  await largeTable(db);
  await using exporter = await createExporter(db.url, { connections: 2 });
  exporter.deps.groups = SMALL_GROUPS;
  const settings = { readers: 2, folder: 'wide' };
  const other = new pg.Client({ connectionString: db.url });
  other.on('error', () => {});
  await other.connect();
  // Behind our lock it waits for the table, and the helper behind it.
  let waiting: Promise<unknown> | null = null;
  const outcome = exporter.run('wide', {
    settings,
    step: async (name) => {
      if (name === 'plan') waiting ??= other.query('begin; lock table wide in access exclusive mode; rollback');
    },
  });
  expect(await outcome).toMatchObject({ rows: 24_000n });
  await waiting;
  const failing = exporter.run('wide', {
    settings: { ...settings, folder: 'failing' },
    step: async (name) => {
      if (name !== 'plan') return;
      for (let ended = 0; ended === 0; await sleep(20)) {
        const { rows } = await other.query(`select pg_terminate_backend(pid) from (${COPIES}) c limit 1`);
        ended = rows.length;
      }
    },
  });
  await expect(failing).rejects.toMatchObject({ code: expect.stringMatching(/^SOURCE_/) });
  expect(await exporter.run('wide', { settings: { ...settings, folder: 'failing' } })).toMatchObject({ rows: 24_000n });
  expect(ids(await exporter.rows('failing'))).toEqual(all);
  await other.end();
});
