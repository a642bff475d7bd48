/** Killed at every named step of an export: the next one repairs it, and no version is lost or doubled. */

import { describe, expect, test } from 'vitest';
import { CHANGED, change, createTable, ROWS, type Scene } from './scene.ts';
import { type At, inPairs, placesIn, stage, stepsNamedIn } from './stage.ts';

const kept = stage(createTable);
const { newScene, newTable, dies, struck } = kept;

/** The steps of a run in which nothing happens, each with how often it came before. */
async function placesOf(on: Scene, table: string): Promise<At[]> {
  const names: string[] = [];
  await on.run(table, async (name) => void names.push(name));
  return placesIn(names);
}

describe.each(['folder', 'bucket'])('lake in a %s', (kind) => {
  test('killed at each step of a first run, then at each step of the next one', async () => {
    const { on } = await newScene(kind);
    const dry = await newTable();
    const first = await placesOf(on, dry);
    await change(kept.db, dry);
    const next = await placesOf(on, dry);
    expect(new Set(next.map((at) => at.step))).toEqual(new Set(first.map((at) => at.step)));
    expect(first.filter((at) => at.step === 'file-completed')).toHaveLength(ROWS / 10);
    // A bucket costs a process more: there each name once, at its last occurrence, after a quiet first run.
    const last = next.filter((at) => !next.some((other) => other.step === at.step && other.nth > at.nth));
    const cases: (readonly [At | null, At | null])[] =
      kind === 'folder' ? first.map((at, i) => [at, next[i] ?? null] as const) : last.map((at) => [null, at] as const);
    await inPairs(cases, async ([before, after]) => {
      const table = await newTable();
      if (before) await dies(on, table, before);
      await on.run(table);
      const versions = await on.versions(table);
      await on.isWhole(table, versions);
      if (after === null) return;
      await change(kept.db, table);
      await dies(on, table, after);
      expect(await on.run(table)).not.toMatchObject({ state: 'failed' });
      const changed = (await on.versions(table)).filter((version) => !versions.includes(version));
      expect(changed).toHaveLength(CHANGED);
      await on.isWhole(table, [...versions, ...changed]);
    });
  });

  test('killed in the recovery too, at each of its steps in turn', async () => {
    const { on } = await newScene(kind);
    await inPairs(['planned', 'prepared'], async (left) => {
      const table = await newTable();
      const chain: At[] =
        left === 'planned'
          ? [
              { step: 'file-uploaded', nth: 3 },
              { step: 'uploads-aborted', nth: 1 },
              { step: 'upload-started', nth: 2 },
              { step: 'uploads-aborted', nth: 1 },
            ]
          : [
              { step: 'prepared', nth: 1 },
              { step: 'file-completed', nth: 2 },
              { step: 'file-completed', nth: 4 },
              { step: 'completed', nth: 1 },
            ];
      for (const at of chain) await dies(on, table, at);
      await on.run(table);
      await on.isWhole(table, await on.versions(table));
    });
  });

  test('rows that change between the death and the next run come once, in their last version', async () => {
    const { on } = await newScene(kind);
    await inPairs(['uploaded', 'file-completed'], async (step) => {
      const table = await newTable();
      await dies(on, table, { step, nth: 1 });
      const before = await on.versions(table);
      await change(kept.db, table);
      expect(await on.run(table)).toMatchObject({ state: 'committed' });
      const after = await on.versions(table);
      // Prepared: the dead run's versions count. Else they were never exported, and nobody needs them any more.
      const old = step === 'uploaded' ? [] : before.filter((version) => !after.includes(version));
      await on.isWhole(table, [...after, ...old]);
    });
  });

  test('an upload expired between the death and the next run: the run is made again, what was complete of it is gone', async () => {
    const { on, lake } = await newScene(kind);
    const table = await newTable();
    await dies(on, table, { step: 'file-completed', nth: 2 });
    await lake.expire(table);
    expect(await on.run(table)).toMatchObject({ state: 'committed', rows: BigInt(ROWS) });
    await on.isWhole(table, await on.versions(table));
  });

  test('an upload expired, and killed while the run is taken back', async () => {
    const { on, lake } = await newScene(kind);
    const table = await newTable();
    await dies(on, table, { step: 'file-completed', nth: 2 });
    await lake.expire(table);
    await dies(on, table, { step: 'uploads-aborted', nth: 1 });
    await on.run(table);
    await on.isWhole(table, await on.versions(table));
  });
});

test('no step was left out', async () => {
  // Of src/export alone: chunks/ has a test of its own.
  const named = await stepsNamedIn('src/export');
  expect([...struck].sort()).toEqual(named.sort());
});
