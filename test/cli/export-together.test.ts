/** Several processes on one configuration: they share the connections, and the tables. */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExportScene, exportScene, type SceneConfig } from '../support/export-scene.ts';
import { lakeRows } from '../support/lake-rows.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';

let scene: ExportScene;
let state: TestDatabase;
const names = Array.from({ length: 12 }, (_, i) => `t${i}`);
const env = () => ({ STATE_URL: state.url });
const config = (connections: number, lease = '60s'): SceneConfig => ({
  source: { url: '$'.concat('{DATABASE_URL}'), connections },
  state: { url: '$'.concat('{STATE_URL}') },
  defaults: { lease },
});

beforeAll(async () => {
  [scene, state] = await Promise.all([exportScene(), createDatabase()]);
  for (const name of names) await scene.table(name, 50);
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await state[Symbol.asyncDispose]();
});

/** The most connections that the source saw, looking again and again until `ended`. */
async function mostSeen(ended: Promise<unknown>): Promise<number> {
  let most = 0;
  let over = false;
  const end = () => {
    over = true;
  };
  ended.then(end, end);
  while (!over) {
    const [{ open }] = await scene.db.query<{ open: number }>(
      `select count(*)::int as open from pg_stat_activity where datname = current_database() and application_name = 'tidemark'`,
    );
    most = Math.max(most, open);
    await sleep(2);
  }
  return most;
}

async function counted() {
  return (await state.query('select source, holder from tidemark.source_slot where expires_at > now()')).length;
}

test('three processes at once open no more connections than one may, and export each row once', async () => {
  const processes = await Promise.all(
    [1, 2, 3].map(() => scene.start(['export', '--all', '--json'], config(2), env())),
  );
  const ended = Promise.all(processes.map((each) => each.ended));
  const most = await mostSeen(ended);
  const results = await ended;
  expect(results.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
    results.map(() => ({ code: 0, stderr: expect.any(String) })),
  );
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(2);
  for (const name of names) {
    const ids = (await lakeRows(path.join(scene.cwd, 'lake/raw', name))).map(({ id }) => Number(id));
    expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  }
  expect(await counted()).toBe(0);
});

test('who finds no state store looks at the source alone, and nobody has a connection meanwhile', async () => {
  await state.query('drop schema tidemark cascade');
  // The look at the source asks the catalog what belongs to an extension.
  await scene.db.query('begin; lock table pg_catalog.pg_depend in access exclusive mode');
  const processes = await Promise.all([1, 2].map(() => scene.start(['export', '--table', 't0'], config(1), env())));
  // Not by the session of the lock: a transaction sees pg_stat_activity as it was at its first look.
  const waits = ({ name }: { name: string }, event: string) =>
    state.query(`select from pg_stat_activity where datname = '${name}' and wait_event = '${event}'`);
  while ((await waits(scene.db, 'relation')).length === 0 || (await waits(state, 'advisory')).length === 0)
    await sleep(20);
  const ended = Promise.all(processes.map((each) => each.ended));
  expect(await waits(scene.db, 'relation')).toHaveLength(1);
  await scene.db.query('rollback');
  expect(await mostSeen(ended)).toBe(1);
  expect((await ended).map(({ code }) => code)).toEqual([0, 0]);
});

test('with the state store in the source each process has one connection to that besides, and one of all reads', async () => {
  for (const name of names) await scene.db.query(`insert into ${name} values (51)`);
  const whole = { source: { url: '$'.concat('{DATABASE_URL}'), connections: 2 } };
  const processes = await Promise.all([1, 2, 3].map(() => scene.start(['export', '--all', '--json'], whole)));
  const ended = Promise.all(processes.map((each) => each.ended));
  const most = await mostSeen(ended);
  expect((await ended).map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(4);
});

test('a connection of a process that was killed is free once the lease is over; who waits says for whom', async () => {
  await scene.db.query('begin; lock table t0 in access exclusive mode');
  const first = await scene.start(['export', '--table', 't0'], config(1, '5s'), env());
  while ((await scene.db.query(`select from pg_locks where relation = 't0'::regclass and not granted`)).length === 0)
    await sleep(20);
  const second = await scene.start(['export', '--table', 't1'], config(1, '5s'), env());
  await second.stderrHas(`pid ${first.pid} holds 1 of 1`);
  expect(await counted()).toBe(1);
  first.kill('SIGKILL');
  await first.ended;
  await scene.db.query('rollback');
  const { code, stderr } = await second.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('waiting for a connection: ') });
  expect(await counted()).toBe(0);
});

test('who waits for a connection can be stopped', async () => {
  await state.query(`insert into tidemark.source_slot values
    ((select '${new URL(scene.db.url).host}/${scene.db.name}'), 1, gen_random_uuid(), 'somebody', now() + interval '1 minute')`);
  const waiting = await scene.start(['export', '--all'], config(1), env());
  await waiting.stderrHas('somebody holds 1 of 1');
  waiting.kill('SIGTERM');
  expect((await waiting.ended).code).toBe(143);
});
