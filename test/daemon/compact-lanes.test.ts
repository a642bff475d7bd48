/** Small compactions pass one that takes long. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Due, Outcome } from '../../src/daemon/agenda.ts';
import { type CompactLaneDeps, compactLanes } from '../../src/daemon/compact-lane.ts';
import { createCompactor } from '../support/compactor.ts';
import { createStagedScene, ID_NAME, namesOf, rowsOf, type StagedScene } from '../support/staged-scene.ts';
import { never } from '../support/state.ts';
import { fakeClock } from '../unit/daemon/fake-clock.ts';

let scene: StagedScene;

beforeAll(async () => {
  scene = await createStagedScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const due = (table: string): Due => ({ kind: 'compact', name: `public.${table}`, firedAt: 0, replay: false });

test('a small one goes while a long one is under way; a table that was never compacted waits for it', async () => {
  const { raw, compactor, exporter } = scene;
  for (const table of ['long', 'small', 'fresh']) {
    await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'a' })] });
  }
  await compactor.compact('small');
  await raw.add('small', { columns: ID_NAME, files: [rowsOf({ 2: 'b' })] });

  const clock = fakeClock();
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const ended: [string, Outcome['state']][] = [];
  const tell = {
    advanced() {},
    ended: (name: string, outcome: Outcome) => void ended.push([name, outcome.state]),
  };
  const lane: CompactLaneDeps = {
    deps: async () => ({
      ...compactor.deps,
      async step(name) {
        if (name !== 'batch-read') return;
        reached.resolve();
        await goOn.promise;
      },
    }),
    smallDeps: async () => {
      const own = await createCompactor(exporter, { memoryBytes: 64 * 2 ** 20 });
      return { deps: own.deps, [Symbol.asyncDispose]: async () => own[Symbol.asyncDispose]() };
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
    clock,
  };
  const [all, small] = compactLanes(lane);
  expect(small.takes!(due('small'))).toBe(false);
  const long = all.run([due('long')], tell, never);
  await reached.promise;
  expect(small.takes!(due('small'))).toBe(false);
  await clock.runTo(20_001);
  expect(small.takes!(due('small'))).toBe(true);
  await small.run([due('small')], tell, never);
  expect(ended).toEqual([['public.small', 'done']]);
  expect(await namesOf(compactor, 'small')).toEqual({ 1: 'a', 2: 'b' });

  // Its first compaction may be of any size: it is left, and not asked about again.
  await small.run([due('fresh')], tell, never);
  expect([ended.length, small.takes!(due('fresh'))]).toEqual([1, false]);
  goOn.resolve();
  await long;
  expect(ended.slice(1)).toEqual([['public.long', 'done']]);
  expect(small.takes!(due('small'))).toBe(false);
});
