/** Killed at every named step of an export: the next one repairs it, and no version is lost or doubled. */

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { ROOT } from '../support/postgres-server.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import {
  bucketLake,
  CHANGED,
  change,
  createTable,
  folderLake,
  ROWS,
  type Scene,
  scene,
  type TestLake,
} from './scene.ts';

let db: TestDatabase;
let server: S3Server;
const lakes: TestLake[] = [];
/** Every step at which a process was killed. */
const struck = new Set<string>();

beforeAll(async () => {
  db = await createDatabase();
  server = await startS3Server();
});

afterAll(async () => {
  for (const lake of lakes) await lake[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

async function newScene(kind: string): Promise<{ on: Scene; lake: TestLake }> {
  const lake = kind === 'folder' ? await folderLake() : bucketLake(server);
  lakes.push(lake);
  return { on: scene(db, lake), lake };
}

let tables = 0;
async function newTable(): Promise<string> {
  const table = `t${++tables}`;
  await createTable(db, table);
  return table;
}

type At = { step: string; nth: number };

/** The steps of a run in which nothing happens, each with how often it came before. */
async function placesOf(on: Scene, table: string): Promise<At[]> {
  const names: string[] = [];
  await on.run(table, async (name) => void names.push(name));
  return names.map((step, i) => ({ step, nth: names.slice(0, i + 1).filter((name) => name === step).length }));
}

/** Two at a time: the machine waits for processes to start. */
async function inPairs<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const next = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all([next(), next()]);
}

async function dies(on: Scene, table: string, { step, nth }: At): Promise<void> {
  await on.dies(table, step, nth);
  struck.add(step);
}

describe.each(['folder', 'bucket'])('lake in a %s', (kind) => {
  test('killed at each step of a first run, then at each step of the next one', async () => {
    const { on } = await newScene(kind);
    const dry = await newTable();
    const first = await placesOf(on, dry);
    await change(db, dry);
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
      await change(db, table);
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
      await change(db, table);
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
  const named = new Set<string>();
  // Of src/export alone: chunks/ has a test of its own.
  for (const name of (await readdir(path.join(ROOT, 'src/export'))).filter((each) => each.endsWith('.ts'))) {
    const source = await readFile(path.join(ROOT, 'src/export', name), 'utf8');
    for (const [, step] of source.matchAll(/\bstep\('([a-z-]+)'\)/g)) named.add(step);
  }
  expect([...struck].sort()).toEqual([...named].sort());
});
