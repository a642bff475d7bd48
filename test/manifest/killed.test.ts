/** Killed at every named step of archiving: every run is told once, and the next one ends it. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Lake } from '../../src/lake/lake.ts';
import { openLake } from '../../src/lake/open.ts';
import { Manifest } from '../../src/manifest/manifest.ts';
import type { StateStore } from '../../src/state/state-store.ts';
import { folderLake, type TestLake } from '../crash/scene.ts';
import { inPairs, MANY_PROCESSES, placesIn, stepsNamedIn } from '../crash/stage.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { never, openAt } from '../support/state.ts';
import type { Order } from './run-archive.ts';
import { allFiles, archive, archiveKeys, commitRuns, places, SMALL } from './scene.ts';

const CHILD = new URL('./run-archive.ts', import.meta.url).pathname;
vi.setConfig(MANY_PROCESSES);

const stack = new AsyncDisposableStack();
let db: TestDatabase;
let state: StateStore;
let place: TestLake;
let lake: Lake;
beforeAll(async () => {
  db = stack.use(await createDatabase());
  state = stack.use(await openAt(db.url));
  place = stack.use(await folderLake());
  lake = stack.use(await openLake(place.config));
});
afterAll(() => stack.disposeAsync());

/** A table with an archive, and runs enough for two more, which are then joined. */
async function newTable(table: string): Promise<bigint[]> {
  const runs = await commitRuns(state, table, Array(6).fill({}));
  await archive({ state, lake }, table);
  return [...runs, ...(await commitRuns(state, table, Array(20).fill({})))];
}

const run = (table: string, at: Order['at']) => {
  const order: Order = { url: db.url, lake: place.config, table, at };
  return promisify(execFile)(process.execPath, [CHILD, JSON.stringify(order)]);
};

test('at every step, and everywhere that it comes by', async () => {
  await newTable('alive');
  const names = (await run('alive', null)).stdout.trim().split('\n');
  const named = await stepsNamedIn('src/manifest');
  expect(new Set(names)).toEqual(new Set(named));
  await inPairs(placesIn(names), async (at) => {
    const table = `${at.step}_${at.nth}`.replaceAll('-', '_');
    const runs = await newTable(table);
    const files = await allFiles(new Manifest({ state, lake }), table);
    await expect(run(table, at), table).rejects.toMatchObject({ signal: 'SIGKILL' });
    expect(await allFiles(new Manifest({ state, lake }), table), table).toEqual(files);
    await state.takeAway([table], 'archive', true, never);
    runs.push(...(await commitRuns(state, table, [{}, {}])));
    // As if long ago: what it left is older than the retention.
    const order = { limits: { ...SMALL, most: 200, archives: 1 }, now: Date.now() + 60_000 };
    await archive({ state, lake }, table, order);
    const { archived, live } = await places(state, table);
    expect(
      archived.reduce((sum, each) => sum + each.runs, live.length),
      table,
    ).toBe(runs.length);
    expect((await allFiles(new Manifest({ state, lake }), table)).slice(0, files.length), table).toEqual(files);
    // Of older leases nothing is left that nobody names.
    const { archives } = await state.archiving.archives(table, never);
    const keys = new Set(archives.map(({ key }) => key));
    const token = (key: string) => BigInt(/-(\d+)-[0-9a-f]{8}\.jsonl\.zst$/.exec(key)![1]);
    const newest = (await archiveKeys(lake, table)).map(token).reduce((a, b) => (a > b ? a : b));
    const left = (await archiveKeys(lake, table)).filter((key) => token(key) < newest && !keys.has(key));
    expect(left, table).toEqual([]);
  });
});
