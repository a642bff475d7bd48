/** Stopped and killed in the middle of each kind of work: it ends in time, nothing is held, and another daemon goes on. */

import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type DaemonScene, daemonScene, PATIENCE, type Running } from './scene.ts';

async function freshScene(): Promise<DaemonScene> {
  const scene = await daemonScene();
  onTestFinished(() => scene[Symbol.asyncDispose]());
  return scene;
}

/** Ends it. After ten seconds it would be gone without giving anything back. */
async function stop(daemon: Running): Promise<number | null> {
  daemon.kill('SIGTERM');
  return (await daemon.ended).code;
}

// The first rows come at once, each of the others takes a tenth of a second.
const sluggish = { table: 'big', where: 'id <= 300000 or pg_sleep(0.1) is not null' };
const quick = { table: 'big' };

/** A daemon in the middle of a large export. */
async function exporting(scene: DaemonScene, config: object = {}): Promise<Running> {
  await scene.db.query('create table big (id int primary key, updated_at timestamptz not null default now())');
  await scene.db.query('insert into big select generate_series(1, 300500)');
  await scene.configure({
    defaults: { file_size: '1MB', compression: 'none', lease: '5s' },
    tables: [sluggish],
    ...config,
  });
  const daemon = scene.start();
  const uploads = path.join(scene.cwd, 'lake/_uploads/raw/big');
  await vi.waitFor(async () => expect(await readdir(uploads, { recursive: true })).not.toEqual([]), PATIENCE);
  return daemon;
}

async function isWhole(scene: DaemonScene): Promise<void> {
  expect(await scene.query('select count(*)::int as n, count(distinct id)::int as ids from raw.big')).toEqual([
    { n: 300_500, ids: 300_500 },
  ]);
}

test('SIGTERM in the middle of an export: it ends within seconds, holds nothing, and a second daemon begins at once', async () => {
  const scene = await freshScene();
  const daemon = await exporting(scene);
  expect(await stop(daemon)).toBe(143);
  expect(await scene.held()).toEqual([]);
  await scene.configure({ tables: [quick] });
  const second = scene.start();
  await second.says('exported', { table: 'public.big', rows: 300_500 });
  await second.says('compacted', { table: 'public.big' });
  await isWhole(scene);
});

test('after kill -9 a second daemon takes the table over once the lease has expired', async () => {
  const scene = await freshScene();
  const daemon = await exporting(scene);
  await scene.configure({ tables: [quick], defaults: { lease: '5s' } });
  const second = scene.start();
  await second.says('tables found');
  daemon.kill('SIGKILL');
  await daemon.ended;
  expect(await scene.held()).toContain('export big');
  const [{ expires }] = await scene.db.query<{ expires: Date }>(
    'select max(expires_at) as expires from tidemark.lease',
  );
  const line = await second.says('exported', { table: 'public.big', rows: 300_500 });
  // Not before: the first one might have been alive. Nor much later, though its schedule would not have to come soon.
  expect(Date.parse(line.time)).toBeGreaterThan(expires.getTime());
  await second.says('compacted', { table: 'public.big' });
  await isWhole(scene);
});

test('SIGTERM in the middle of a compaction', async () => {
  const scene = await freshScene();
  await scene.db.query(
    'create table big (id int primary key, a text, b text, updated_at timestamptz not null default now())',
  );
  await scene.db.query(`insert into big select g, md5(g::text), md5((g * 7)::text) from generate_series(1, 600000) g`);
  await scene.configure({ tables: [quick] });
  const daemon = scene.start();
  await vi.waitFor(async () => expect(await scene.held()).toContain('compact big'), { ...PATIENCE, interval: 10 });
  expect(await stop(daemon)).toBe(143);
  expect(daemon.said('compacted')).toEqual([]);
  expect(await scene.held()).toEqual([]);
  const second = scene.start();
  await second.says('compacted', { table: 'public.big', inserted: 600_000 });
});

test('SIGTERM in the middle of a load: another daemon takes the drops at once, and each is loaded once', async () => {
  const scene = await freshScene();
  await scene.db.query('create table events (id int primary key, loads int)');
  await mkdir(path.join(scene.cwd, 'drops'));
  const [drops, rows] = [100, 50];
  for (let i = 0; i < drops; i++) {
    const lines = Array.from({ length: rows }, (_, j) => `{"id":${i * rows + j}}\n`);
    await writeFile(path.join(scene.cwd, 'drops', `${i}.json.gz`), gzipSync(lines.join('')));
  }
  // A batch takes so long that it is under way for sure.
  await scene.db.query(`create function slow() returns trigger language plpgsql as
    $$ begin perform pg_sleep(20); return null; end $$`);
  await scene.db.query('create trigger slow after insert on events for each statement execute function slow()');
  await scene.configure({
    tables: [],
    loads: [
      {
        load: 'events',
        from: 'file:./drops/*.json.gz',
        into: 'events',
        target: scene.db.url,
        key: ['id'],
        columns: { id: { type: 'int' } },
      },
    ],
    schedule: { load: '@every 1s' },
  });
  const daemon = scene.start();
  const state = async (of: string) => {
    const there = await scene.db.query(`select to_regclass('tidemark.load_drop') as t`);
    if (there[0].t === null) return 0;
    const [{ n }] = await scene.db.query<{ n: number }>(
      'select count(*)::int as n from tidemark.load_drop where state = $1',
      [of],
    );
    return n;
  };
  const inserting = `select from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`;
  await vi.waitFor(async () => expect(await scene.db.query(inserting)).not.toEqual([]), PATIENCE);
  expect(await stop(daemon)).toBe(143);
  expect(await state('loaded')).toBe(0);
  await scene.db.query('drop trigger slow on events');
  const second = scene.start();
  await vi.waitFor(async () => expect(await state('loaded')).toBe(drops), PATIENCE);
  await second.says('loaded', { load: 'events' });
  expect(await scene.db.query('select count(*)::int as n from events')).toEqual([{ n: drops * rows }]);
});

test('a second signal ends it at once', async () => {
  const scene = await freshScene();
  const daemon = await exporting(scene);
  daemon.kill('SIGTERM');
  daemon.kill('SIGTERM');
  const { code, stderr } = await daemon.ended;
  expect(code).toBe(143);
  expect(stderr).toMatch(/SIGTERM: stopping|SIGTERM again/);
});
