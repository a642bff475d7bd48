/** Killed at every named step of a compaction: the next one ends in the right state, and what is left over falls to vacuum. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { vacuum } from '../../src/compact/vacuum.ts';
import type { Lake } from '../../src/lake/lake.ts';
import { openLake } from '../../src/lake/open.ts';
import type { StateStore } from '../../src/state/state-store.ts';
import { type Compactor, createCompactor } from '../support/compactor.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { createRawRuns, type RawRuns } from '../support/raw-runs.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { ID_NAME, namesOf, rowsOf } from '../support/staged-scene.ts';
import { never, openAt } from '../support/state.ts';
import type { CompactOrder } from './run-compact.ts';
import { bucketLake, folderLake, type TestLake } from './scene.ts';
import { inPairs, MANY_PROCESSES, stepsNamedIn } from './stage.ts';

const CHILD = fileURLToPath(new URL('./run-compact.ts', import.meta.url));
const DAY = 86_400_000;
vi.setConfig(MANY_PROCESSES);

type Scene = { config: TestLake['config']; lake: Lake; raw: RawRuns; compactor: Compactor };

const stack = new AsyncDisposableStack();
let db: TestDatabase;
let state: StateStore;
let server: S3Server;
const scenes = new Map<string, Scene>();
/** Every step at which a process was killed. */
const struck = new Set<string>();

beforeAll(async () => {
  db = stack.use(await createDatabase());
  state = stack.use(await openAt(db.url));
  server = stack.use(await startS3Server());
  for (const kind of ['folder', 'bucket']) {
    const place = stack.use(kind === 'folder' ? await folderLake() : bucketLake(server));
    const lake = stack.use(await openLake(place.config));
    const raw = stack.use(await createRawRuns({ state, lake }));
    const compactor = stack.use(await createCompactor({ state, lake }));
    scenes.set(kind, { config: place.config, lake, raw, compactor });
  }
});
afterAll(() => stack.disposeAsync());

type Options = CompactOrder['options'];

/** What was compacted before, the compaction that dies, and what must be there afterwards. */
type Case = { name: string; before: Options[]; dies: Options; rows: Record<string, string> };

const FIRST = { 10: 'a', 20: 'b', 30: 'c', 40: 'd', 50: 'e', 60: 'f' };
const CHANGES = { 10: 'A', 20: undefined, 15: 'new', 70: 'new' };
const CHANGED = { 10: 'A', 15: 'new', 30: 'c', 40: 'd', 50: 'e', 60: 'f', 70: 'new' };

const CASES: Case[] = [
  { name: 'a first full run', before: [], dies: {}, rows: FIRST },
  { name: 'a merge that writes files anew', before: [{}], dies: { merge: 'rewrite' }, rows: CHANGED },
  { name: 'a merge that marks rows', before: [{}], dies: { merge: 'vectors' }, rows: CHANGED },
  {
    name: 'an optimize',
    before: [{}, { merge: 'vectors' }],
    dies: { merge: 'vectors', optimize: true },
    rows: CHANGED,
  },
  {
    name: 'a rebuild',
    before: [{}, { merge: 'vectors' }],
    dies: { merge: 'vectors', rebuild: { asOf: null } },
    rows: CHANGED,
  },
];

let tables = 0;

/** A table just before the compaction that dies. */
async function newTable({ raw, compactor }: Scene, { before, rows }: Case): Promise<string> {
  const table = `t${++tables}`;
  await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf(FIRST)] });
  for (const [i, options] of before.entries()) {
    if (i === 1) await raw.add(table, { columns: ID_NAME, files: [rowsOf(CHANGES)] });
    await compactor.compact(table, options);
  }
  if (before.length === 1 && rows === CHANGED) {
    await raw.add(table, { columns: ID_NAME, files: [rowsOf({ 10: 'no more', 80: 'gone' })] });
    await raw.add(table, { columns: ID_NAME, files: [rowsOf({ ...CHANGES, 80: undefined })] });
  }
  return table;
}

type At = { step: string; nth: number };

/** The steps of the compaction, each at its last occurrence, and at its first. */
async function placesOf(scene: Scene, each: Case, first: boolean): Promise<At[]> {
  const names: string[] = [];
  const step = async (name: string) => void names.push(name);
  await scene.compactor.compact(await newTable(scene, each), { ...each.dies, step });
  return [...new Set(names)].flatMap((step) => {
    const times = names.filter((name) => name === step).length;
    return first && times > 1 ? [1, times].map((nth) => ({ step, nth })) : [{ step, nth: times }];
  });
}

function start(scene: Scene, table: string, options: Options, at: At | null, waits = false) {
  const order: CompactOrder = { url: db.url, lake: scene.config, table, options, at, waits };
  const env = { ...process.env, NODE_COMPILE_CACHE: path.join(os.tmpdir(), 'tidemark-test-compile-cache') };
  const child = spawn(process.execPath, [CHILD, JSON.stringify(order)], { stdio: ['pipe', 'pipe', 'inherit'], env });
  let said = '';
  child.stdout.on('data', (data) => {
    said += data;
  });
  const ended = once(child, 'close').then(([, signal]) => ({
    signal,
    result: JSON.parse(said.split('\n').find((line) => line.startsWith('{')) ?? 'null'),
  }));
  return { child, ended };
}

const leaseEnds = (table: string) =>
  db.query(
    `update tidemark.lease l set expires_at = clock_timestamp() from tidemark.source_table t
     where t.id = l.table_id and t.folder = $1 and l.kind = 'compact' and l.holder is not null`,
    [table],
  );

/** Files of the table's folder that are not its log's. */
async function dataFiles({ lake }: Scene, table: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of lake.list(`staged/${table}/`, never))
    if (!key.includes('/_delta_log/')) found.push(path.basename(key));
  return found.sort();
}

async function isRight(scene: Scene, table: string, { rows, dies }: Case): Promise<void> {
  const { compactor } = scene;
  expect(await namesOf(compactor, table)).toEqual(rows);
  const { version } = await compactor.snapshot(table);
  const again = { ...dies, rebuild: null };
  expect(await compactor.compact(table, again)).toMatchObject({ state: 'nothing', version });
  const order = { retentionMs: 0, dryRun: false, now: Date.now() + 2 * DAY, onFile() {} };
  await vacuum(compactor.deps.table(`staged/${table}`), order, never);
  const { files } = await compactor.snapshot(table);
  const vectors = [...files.values()].filter(({ deletionVector }) => deletionVector !== null).length;
  const left = await dataFiles(scene, table);
  expect(left.filter((name) => name.endsWith('.parquet'))).toEqual([...files.values()].map(({ path }) => path).sort());
  expect(left.filter((name) => name.endsWith('.bin')).length).toBeLessThanOrEqual(vectors);
  expect(await namesOf(compactor, table)).toEqual(rows);
}

let turn: Promise<unknown> = Promise.resolve();

/** One after another, for what uses this process's compactor: two processes at a time may die meanwhile. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const done = turn.then(work);
  turn = done.catch(() => {});
  return done;
}

// A process costs a second: in a bucket only what differs there.
describe.each([
  { kind: 'folder', cases: CASES },
  { kind: 'bucket', cases: CASES.filter(({ name }) => /marks rows|rebuild/.test(name)) },
])('lake in a $kind', ({ kind, cases }) => {
  test.each(cases)('killed at each step of $name', async (each) => {
    const scene = scenes.get(kind)!;
    await inPairs(await placesOf(scene, each, kind === 'folder'), async (at) => {
      const table = await inTurn(() => newTable(scene, each));
      const { signal, result } = await start(scene, table, each.dies, at).ended;
      expect({ at, signal, result }).toEqual({ at, signal: 'SIGKILL', result: null });
      struck.add(at.step);
      await leaseEnds(table);
      await inTurn(async () => {
        await scene.compactor.compact(table, each.dies);
        await isRight(scene, table, each);
      });
    });
  });

  test('four processes on one table at once, none of them with a lease for long', async () => {
    const scene = scenes.get(kind)!;
    const each = CASES[2];
    const table = await newTable(scene, each);
    const four = [0, 1, 2, 3].map((i) =>
      start(scene, table, { merge: i % 2 === 0 ? 'rewrite' : 'vectors' }, null, true),
    );
    await Promise.all(four.map(({ child }) => once(child.stdout, 'data')));
    let over = false;
    const ending = (async () => {
      while (!over) await leaseEnds(table);
    })();
    for (const { child } of four) child.stdin.write('.');
    const ended = await Promise.all(four.map((one) => one.ended));
    over = true;
    await ending;
    for (const { result } of ended) {
      expect([null, 'LEASE_LOST', 'STAGED_CONFLICT']).toContain(result.error);
    }
    await leaseEnds(table);
    await scene.compactor.compact(table, each.dies);
    await isRight(scene, table, each);
  });
});

test('no step was left out', async () => {
  expect([...struck].sort()).toEqual((await stepsNamedIn('src/compact')).sort());
});
