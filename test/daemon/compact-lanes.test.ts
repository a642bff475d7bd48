/** Small compactions go side by side, and pass one that takes long. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CompactDeps } from '../../src/compact/work.ts';
import type { Due, Outcome } from '../../src/daemon/agenda.ts';
import { systemClock } from '../../src/daemon/clock.ts';
import { type CompactLaneDeps, compactLanes } from '../../src/daemon/compact-lane.ts';
import { createSmallConnections } from '../../src/daemon/small-connections.ts';
import { Duck } from '../../src/duckdb/duck.ts';
import { TidemarkError } from '../../src/model/error.ts';
import { createCompactor } from '../support/compactor.ts';
import { createStagedScene, ID_NAME, namesOf, rowsOf, type StagedScene } from '../support/staged-scene.ts';
import { never } from '../support/state.ts';

let scene: StagedScene;

beforeAll(async () => {
  scene = await createStagedScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const due = (table: string): Due => ({ kind: 'compact', name: `public.${table}`, firedAt: 0, replay: false });

/** Stops a compaction between reading and merging, until it may go on. */
function pausing(deps: CompactDeps) {
  const goOn = Promise.withResolvers<void>();
  let waiting = 0;
  const step = async (name: string) => {
    if (name !== 'batch-read') return;
    waiting++;
    await goOn.promise;
  };
  return { deps: { ...deps, step }, goOn: goOn.resolve, waiting: () => waiting };
}

/** Both lanes over the scene; `ended` fills. */
function lanesOf(some: Partial<CompactLaneDeps>) {
  const { compactor, exporter } = scene;
  const ended: string[] = [];
  const tell = {
    advanced() {},
    ended: (name: string, outcome: Outcome) => void ended.push(`${name} ${outcome.state}`),
  };
  const [small, large] = compactLanes({
    alone: (work) => work(compactor.deps),
    aside: (work) => work(compactor.deps),
    async beside(work) {
      await using own = await createCompactor(exporter, { memoryBytes: 64 * 2 ** 20 });
      await work(own.deps);
    },
    async waitingBytes({ folder }) {
      const status = (await exporter.state.stagedOf([folder], never)).get(folder);
      return status?.version == null ? null : status.waiting.bytes;
    },
    holder: 'test',
    leaseMs: () => 60_000,
    table: (name) => {
      const folder = name.replace('public.', '');
      return { name: { schema: 'public', table: folder }, folder, merge: 'rewrite', keyIsPrimary: true };
    },
    taken() {},
    isTaken: () => false,
    clock: systemClock,
    ...some,
  });
  return { small, large, tell, ended };
}

/** A table with a staged copy, and a run that it has not seen. */
async function changed(table: string): Promise<void> {
  const { raw, compactor } = scene;
  await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'a' })] });
  await compactor.compact(table);
  await raw.add(table, { columns: ID_NAME, files: [rowsOf({ 2: 'b' })] });
}

test('a table that was never compacted is for the lane of large ones; while it is under way small ones pass it', async () => {
  const { raw, compactor } = scene;
  await raw.add('long', { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'a' })] });
  await changed('passes');
  const paused = pausing(compactor.deps);
  const { small, large, tell, ended } = lanesOf({
    alone: (work) => work(paused.deps),
    aside: () => Promise.reject(new Error('all of the memory is in use')),
  });
  expect([small.takes!(due('long')), large.takes!(due('long'))]).toEqual([true, false]);
  await small.run([due('long')], tell, never);
  expect(ended).toEqual([]);
  expect([small.takes!(due('long')), large.takes!(due('long'))]).toEqual([false, true]);

  const running = large.run([due('long')], tell, never);
  while (paused.waiting() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await small.run([due('passes')], tell, never);
  expect(ended).toEqual(['public.passes done']);
  expect(await namesOf(compactor, 'passes')).toEqual({ 1: 'a', 2: 'b' });
  paused.goOn();
  await running;
  expect(ended).toEqual(['public.passes done', 'public.long done']);
  // Next time it may be small.
  expect([small.takes!(due('long')), large.takes!(due('long'))]).toEqual([true, false]);
});

test('four small ones at the same moment, in one DuckDB, each with tables of its own', async () => {
  const { compactor } = scene;
  const tables = ['s1', 's2', 's3', 's4'];
  for (const table of tables) await changed(table);
  await using duck = await Duck.open({
    memoryBytes: 192e6,
    threads: 1,
    tempFolder: compactor.spool.tempFolder,
    tempBytes: 1e9,
  });
  const connections = createSmallConnections();
  const paused = pausing(compactor.deps);
  const { small, tell, ended } = lanesOf({
    aside: (work) =>
      connections.use(
        async () => duck,
        (connect) => work({ ...paused.deps, connect }),
      ),
  });
  const running = tables.map((table) => small.run([due(table)], tell, never));
  while (paused.waiting() < tables.length) await new Promise((resolve) => setTimeout(resolve, 5));
  paused.goOn();
  await Promise.all(running);
  expect(ended.sort()).toEqual(tables.map((table) => `public.${table} done`));
  for (const table of tables) expect(await namesOf(compactor, table)).toEqual({ 1: 'a', 2: 'b' });
});

test('one whose rows are too wide for a part of the memory goes to the lane that has all of it', async () => {
  await changed('wide');
  const { compactor } = scene;
  const { small, large, tell, ended } = lanesOf({
    aside: (work) =>
      work({
        ...compactor.deps,
        async step(name) {
          if (name === 'batch-read') throw new TidemarkError('MEMORY_FULL', 'rows are too wide');
        },
        moreMemory: async () => false,
      }),
  });
  await small.run([due('wide')], tell, never);
  expect(ended).toEqual([]);
  expect(large.takes!(due('wide'))).toBe(true);
  await large.run([due('wide')], tell, never);
  expect(ended).toEqual(['public.wide done']);
});

test('with nothing to merge no DuckDB is opened', async () => {
  await changed('idle');
  await scene.compactor.compact('idle');
  const connections = createSmallConnections();
  const { small, tell, ended } = lanesOf({
    aside: (work) =>
      connections.use(
        () => Promise.reject(new Error('it was opened')),
        (connect) => work({ ...scene.compactor.deps, connect }),
      ),
  });
  await small.run([due('idle')], tell, never);
  expect(ended).toEqual(['public.idle nothing']);
});
