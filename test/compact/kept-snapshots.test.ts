/** Compactions of one process on S3: what they ask the server for, and what they notice of others. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Snapshot } from '../../src/compact/delta/actions.ts';
import { commit } from '../../src/compact/delta/commit.ts';
import { keptSnapshots, readAlways } from '../../src/compact/delta/kept-snapshots.ts';
import { commitKey, logFolder } from '../../src/compact/delta/log-names.ts';
import { readSnapshot } from '../../src/compact/delta/read-log.ts';
import type { Lake } from '../../src/lake/lake.ts';
import { type Fixture, s3Fixture } from '../s3/s3-fixture.ts';
import { type Compactor, createCompactor } from '../support/compactor.ts';
import { createExporter, type Exporter } from '../support/exporter.ts';
import { createDatabase } from '../support/postgres.ts';
import { createRawRuns, type RawRuns } from '../support/raw-runs.ts';
import { ID_NAME, namesOf, rowsOf } from '../support/staged-scene.ts';
import { never } from '../support/state.ts';
import { added, CREATE, changes, DAY, type DeltaPlace, deltaPlace, NOW, removed } from './delta-support.ts';

let stack: AsyncDisposableStack;
let s3: Fixture;
let lake: Lake;
let state: Exporter['state'];
let raw: RawRuns;
/** Of another process: it reads each log anew. */
let other: Compactor;
let compactor: Compactor;
let table: string;
let tables = 0;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase());
  ({ state } = stack.use(await createExporter(database.url)));
  s3 = stack.use(await s3Fixture({}, { attemptMs: 10_000 }));
  ({ lake } = s3);
  raw = stack.use(await createRawRuns({ state, lake }));
  other = stack.use(await createCompactor({ state, lake }, { snapshots: readAlways }));
  compactor = stack.use(await createCompactor({ state, lake }, { snapshots: keptSnapshots() }));
});
afterAll(() => stack.disposeAsync());

beforeEach(async () => {
  table = await newTable({ 1: 'a', 2: 'b' });
});

async function newTable(rows: Record<string, string>): Promise<string> {
  const name = `t${++tables}`;
  await raw.add(name, { full: true, columns: ID_NAME, files: [rowsOf(rows)] });
  await compactor.compact(name);
  return name;
}

/** One exported row. */
const change = (name: string) => raw.add(table, { columns: ID_NAME, files: [rowsOf({ 1: name })] });

async function changeAndCompact(name: string, who = compactor): Promise<void> {
  await change(name);
  await who.compact(table);
}

/** Of another program. */
const emptyCommit = async () =>
  commit(other.deps.table(`staged/${table}`), await other.snapshot(table), changes(), never);

const versionNow = async () => (await other.snapshot(table)).version;
const forget = (...names: string[]) =>
  lake.delete(
    names.map((name) => logFolder(`staged/${table}`) + name),
    never,
  );

/** What the work asks the server for: operation and the key's last part, without what is by chance. */
async function requests(work: () => Promise<unknown>): Promise<string[]> {
  const before = s3.server.log.length;
  await work();
  return s3.server.log
    .slice(before)
    .map(({ operation, key }) => `${operation} ${key.replace(/.*\//, '')}`)
    .map((request) =>
      request
        .replace(/run-.*/, 'raw')
        .replace(/[\w-]{36}\.parquet/, 'data')
        .replace(/ 0{15}/, ' '),
    )
    .sort();
}

describe('a second compaction of the same process', () => {
  test('does not read the log again: it looks at the last version and for a next one', async () => {
    await changeAndCompact('first');
    await change('second');
    expect(await requests(() => compactor.compact(table))).toEqual([
      'GetObject 00001.json',
      'GetObject raw',
      'HeadObject 00002.json',
      'PutObject 00002.json',
      'PutObject data',
    ]);
  });

  test('another process reads the log', async () => {
    await changeAndCompact('first');
    await change('second');
    expect(await requests(() => other.compact(table))).toEqual(
      expect.arrayContaining([
        'GetObject _last_checkpoint',
        'ListObjectsV2 ',
        'GetObject 00000.json',
        'GetObject 00001.json',
      ]),
    );
  });

  test('with nothing to merge asks two questions', async () => {
    expect(await requests(() => compactor.compact(table))).toEqual(['GetObject 00000.json', 'HeadObject 00001.json']);
  });
});

describe('what others did in between is seen', () => {
  test('another process has compacted', async () => {
    await changeAndCompact('ours');
    await changeAndCompact('theirs', other);
    await changeAndCompact('ours again');
    expect(await versionNow()).toBe(3);
    expect(await namesOf(other, table)).toEqual({ 1: 'ours again', 2: 'b' });
  });

  test('another program has added rows, in a commit without a txnId', async () => {
    const donor = await newTable({ 8: 'h', 9: 'i' });
    await changeAndCompact('ours');
    const [file] = (await other.snapshot(donor)).files.values();
    await lake.put(`staged/${table}/theirs.parquet`, await lake.get(`staged/${donor}/${file.path}`, never), never);
    const add = { path: 'theirs.parquet', partitionValues: {}, size: file.size, modificationTime: 1, dataChange: true };
    await lake.put(commitKey(`staged/${table}`, 2), Buffer.from(JSON.stringify({ add })), never);
    await raw.add(table, { columns: ID_NAME, files: [rowsOf({ 9: undefined })] });
    await compactor.compact(table);
    expect(await versionNow()).toBe(3);
    expect(await namesOf(other, table)).toEqual({ 1: 'ours', 2: 'b', 8: 'h' });
  });

  test('the log was cleaned up to a checkpoint of the last version', async () => {
    for (let version = 1; version < 10; version++) await emptyCommit();
    await changeAndCompact('ours');
    await forget(...Array.from({ length: 11 }, (_, i) => `${String(i).padStart(20, '0')}.json`));
    await change('after');
    expect(await requests(() => compactor.compact(table))).toContain('GetObject 00010.checkpoint.parquet');
    expect(await versionNow()).toBe(11);
    expect(await namesOf(other, table)).toEqual({ 1: 'after', 2: 'b' });
  });

  test('the table was removed: it begins anew with the full run', async () => {
    await changeAndCompact('ours');
    const keys: string[] = [];
    for await (const { key } of lake.list(`staged/${table}/`, never)) keys.push(key);
    await lake.delete(keys, never);
    await changeAndCompact('after');
    // The full run, then both changes.
    expect(await versionNow()).toBe(1);
    expect(await namesOf(other, table)).toEqual({ 1: 'after', 2: 'b' });
  });

  test.each(['fewer', 'as many', 'more'])(
    'the table was replaced by another one with %s versions',
    async (versions) => {
      const mine = table;
      for (const name of ['one', 'two', 'three']) await changeAndCompact(name);
      table = await newTable({ 5: 'e' });
      for (let i = 0; i < { fewer: 1, 'as many': 3, more: 5 }[versions]!; i++) await changeAndCompact(`theirs ${i}`);
      const replacement = table;
      table = mine;
      await lake.delete(await keysOf(mine), never);
      for (const key of await keysOf(replacement)) {
        await lake.put(key.replace(replacement, mine), await lake.get(key, never), never);
      }
      const before = await versionNow();
      await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 7: 'full' })] });
      await compactor.compact(table);
      expect(await versionNow()).toBe(before + 1);
      expect(await namesOf(other, table)).toEqual({ 7: 'full' });
    },
  );

  test('the last versions were taken back, as by a backup: what they had comes again', async () => {
    await changeAndCompact('one');
    await raw.add(table, { columns: ID_NAME, files: [rowsOf({ 2: 'B' })] });
    await compactor.compact(table);
    await forget('00000000000000000002.json');
    await changeAndCompact('three');
    expect(await versionNow()).toBe(2);
    expect(await namesOf(other, table)).toEqual({ 1: 'three', 2: 'B' });
  });
});

test('a version that another process writes between look and commit is not written over', async () => {
  await change('ours');
  let met = false;
  const step = async (name: string) => {
    if (name !== 'commit' || met) return;
    met = true;
    await emptyCommit();
  };
  await compactor.compact(table, { step });
  expect(met).toBe(true);
  expect(await versionNow()).toBe(2);
  expect(await namesOf(other, table)).toEqual({ 1: 'ours', 2: 'b' });
});

async function keysOf(folder: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of lake.list(`staged/${folder}/`, never)) keys.push(key);
  return keys;
}

describe('what is kept', () => {
  let place: DeltaPlace;
  let roots = 0;
  beforeAll(async () => {
    place = await deltaPlace();
  });
  afterAll(() => place[Symbol.asyncDispose]());

  /** A table with so many live files. */
  async function tableOf(files: number) {
    const writer = place.writer(`staged/k${++roots}`);
    const add = Array.from({ length: files }, (_, i) => added(`f${i}`));
    return { writer, first: (await commit(writer, null, { ...CREATE, add }, never)) as Snapshot };
  }
  /** Only a snapshot that was kept is the light one that was put in. */
  const isKept = async (snapshots: ReturnType<typeof keptSnapshots>, { writer }: Awaited<ReturnType<typeof tableOf>>) =>
    (await snapshots.newest(writer, never))!.tombstonesLeft !== undefined;

  test('is limited in live files of all tables: what was used longest ago goes', async () => {
    const snapshots = keptSnapshots(10);
    const [a, b, c, large] = [await tableOf(4), await tableOf(4), await tableOf(4), await tableOf(11)];
    for (const { writer, first } of [a, b, large]) snapshots.committed(writer.root, first);
    expect(await isKept(snapshots, a)).toBe(true);
    snapshots.committed(c.writer.root, c.first);
    expect([await isKept(snapshots, c), await isKept(snapshots, a), await isKept(snapshots, large)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(await isKept(snapshots, b)).toBe(false);
  });

  test('a checkpoint has the tombstones that the kept snapshots leave out', async () => {
    const snapshots = keptSnapshots();
    const { writer } = await tableOf(12);
    for (let version = 1; version <= 11; version++) {
      const before = (await snapshots.newest(writer, never))!;
      const file = before.files.get(`f${version}`)!;
      const next = (await commit(writer, before, changes({ remove: [removed(file, NOW - DAY)] }), never)) as Snapshot;
      snapshots.committed(writer.root, next);
    }
    expect((await snapshots.newest(writer, never))!.tombstonesLeft).toBe(11);
    const { lake } = writer;
    for (let version = 0; version < 10; version++) await lake.delete([commitKey(writer.root, version)], never);
    const read = (await readSnapshot(writer, never))!;
    expect([...read.tombstones.keys()].sort()).toEqual(Array.from({ length: 11 }, (_, i) => `f${i + 1}`).sort());
    expect([...read.files.keys()]).toEqual(['f0']);
  });

  test('of a large table every hundredth version has a checkpoint', async () => {
    const { writer, first } = await tableOf(10_001);
    let snapshot = first;
    for (let version = 1; version <= 100; version++) {
      snapshot = (await commit(writer, snapshot, changes(), never)) as Snapshot;
    }
    const checkpoints: string[] = [];
    for await (const { key } of writer.lake.list(logFolder(writer.root), never)) {
      if (key.endsWith('.checkpoint.parquet')) checkpoints.push(key);
    }
    expect(checkpoints).toEqual([expect.stringContaining('00100.checkpoint')]);
    expect((await readSnapshot(writer, never))!.files.size).toBe(10_001);
  });
});
