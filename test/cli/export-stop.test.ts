/** `tidemark export` beside another one, and stopped by signals. */

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ExportScene, exportScene, type SceneConfig } from '../support/export-scene.ts';

let scene: ExportScene;

beforeAll(async () => {
  scene = await exportScene();
  await scene.table('quick');
  await scene.isWholeAfterwards('quick');
});

afterAll(() => scene[Symbol.asyncDispose]());

const PATIENCE = { timeout: 60_000, interval: 50 };

/** The first 300,000 rows come at once, and are written; each of the others takes a tenth of a second. */
const sluggish = (table: string): SceneConfig => ({
  // One for the state, and one for each of two processes.
  source: { url: '$'.concat('{DATABASE_URL}'), connections: 3 },
  defaults: { file_size: '1MB', compression: 'none' },
  tables: [{ table: 'quick' }, { table, where: 'id <= 300000 or pg_sleep(0.1) is not null' }],
});

const holderOf = async (table: string) => {
  const [lease] = await scene.db.query<{ holder: string | null }>(
    `select holder from tidemark.lease join tidemark.source_table t on t.id = table_id where folder = $1`,
    [table],
  );
  return lease?.holder ?? null;
};

/** An export that is writing, and will be for long. */
async function writing(table: string) {
  await scene.table(table, 300_500);
  const running = await scene.start(['export', '--table', table], sluggish(table));
  const uploads = path.join(scene.cwd, 'lake/_uploads/raw', table);
  await vi.waitFor(async () => expect(await readdir(uploads, { recursive: true })).not.toEqual([]), PATIENCE);
  return running;
}

test('a second process on the same table says so and ends with 4; with --all the other tables go on', async () => {
  const first = await writing('shared');
  const second = await scene.run(['export', '--table', 'shared'], sluggish('shared'));
  expect(second).toMatchObject({ code: 4, stdout: expect.stringMatching(/public\.shared +held +by \S+ pid \d+/) });
  const all = await scene.run(['export', '--all', '--json'], sluggish('shared'));
  const states = JSON.parse(all.stdout).tables.map(
    (each: { table: string; state: string }) => `${each.table} ${each.state}`,
  );
  expect({ code: all.code, states: states.sort() }).toEqual({
    code: 0,
    states: ['public.quick nothing', 'public.shared held'],
  });
  first.kill('SIGKILL');
  await first.ended;
  await scene.db.query('update tidemark.source_slot set expires_at = clock_timestamp()');
});

describe.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('%s', (signal, code) => {
  test('in the middle of a large export: it ends soon, gives the lease back, and leaves nothing', async () => {
    const table = `large_${signal.toLowerCase()}`;
    const running = await writing(table);
    running.kill(signal);
    const ended = await running.ended;
    expect(ended).toMatchObject({ code, stderr: expect.stringContaining(`${signal}: stopping`) });
    expect(ended.stdout + ended.stderr).not.toMatch(/INTERNAL|LEASE_LOST/);
    // Within ten seconds: after them it would be gone and keep the lease.
    expect(await holderOf(table)).toBeNull();
    await scene.isUntouched(table);
    await scene.isWholeAfterwards(table);
  });
});

test('SIGTERM while it waits for a table that somebody has locked', async () => {
  await scene.table('locked');
  const locker = new pg.Client({ connectionString: scene.db.url });
  await locker.connect();
  await locker.query('begin; lock table locked in access exclusive mode');
  const running = await scene.start(['export', '--table', 'locked']);
  const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  await vi.waitFor(async () => expect(await scene.db.query(waiting)).toHaveLength(1), PATIENCE);
  running.kill('SIGTERM');
  expect(await running.ended).toMatchObject({ code: 143, stdout: '' });
  expect(await holderOf('locked')).toBeNull();
  await locker.query('rollback');
  await locker.end();
  await scene.isWholeAfterwards('locked');
});

test('a second signal ends it at once, whatever it is about; the lease then has to expire', async () => {
  const running = await writing('stuck');
  const locker = new pg.Client({ connectionString: scene.db.url });
  await locker.connect();
  // It cannot give the lease back.
  await locker.query('begin; lock table tidemark.lease in access exclusive mode');
  running.kill('SIGTERM');
  await running.stderrHas('SIGTERM: stopping');
  running.kill('SIGTERM');
  expect(await running.ended).toMatchObject({ code: 143, stderr: expect.stringContaining('SIGTERM again') });
  await locker.query('rollback');
  await locker.end();
  expect(await holderOf('stuck')).not.toBeNull();
  expect((await scene.run(['export', '--table', 'stuck'])).code).toBe(4);
  await scene.db.query(`update tidemark.lease set expires_at = clock_timestamp() where holder is not null;
    update tidemark.source_slot set expires_at = clock_timestamp()`);
  await scene.isWholeAfterwards('stuck');
});
