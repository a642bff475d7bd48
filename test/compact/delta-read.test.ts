/** The log of a table as crashes, clean-ups and other writers leave it. */

import { readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Snapshot } from '../../src/compact/delta/actions.ts';
import { writeCheckpoint } from '../../src/compact/delta/checkpoint.ts';
import { cleanLog } from '../../src/compact/delta/cleanup.ts';
import { commit, type DeltaWriter } from '../../src/compact/delta/commit.ts';
import { type HistoryEntry, history } from '../../src/compact/delta/history.ts';
import { readSnapshot, refreshSnapshot } from '../../src/compact/delta/read-log.ts';
import type { Lake } from '../../src/lake/lake.ts';
import { s3Fixture } from '../s3/s3-fixture.ts';
import {
  added,
  CREATE,
  changes,
  DAY,
  type DeltaPlace,
  deltaPlace,
  METADATA,
  NOW,
  never,
  removed,
} from './delta-support.ts';

let place: DeltaPlace;
beforeAll(async () => {
  place = await deltaPlace();
});
afterAll(() => place?.[Symbol.asyncDispose]());

/** A table with a file a version, `f<version>`. */
async function grow(writer: DeltaWriter, to: number, from: Snapshot | null = null): Promise<Snapshot> {
  let snapshot = from;
  while (snapshot === null || snapshot.version < to) {
    const version: number = snapshot === null ? 0 : snapshot.version + 1;
    const what = { ...(version === 0 ? CREATE : changes()), add: [added(`f${version}`)] };
    const txn = { appId: 'tidemark', version: BigInt(version) };
    snapshot = (await commit(writer, snapshot, { ...what, txn }, never)) as Snapshot;
  }
  return snapshot;
}

let tables = 0;
const newTable = () => place.writer(`staged/t${tables++}`);
const logFile = ({ root }: DeltaWriter, name: string | number) =>
  join(place.folder, root, '_delta_log', typeof name === 'string' ? name : `${String(name).padStart(20, '0')}.json`);
const checkpointFile = (writer: DeltaWriter, version: number) =>
  logFile(writer, `${String(version).padStart(20, '0')}.checkpoint.parquet`);
const paths = (snapshot: Snapshot | null) => [...snapshot!.files.keys()].sort();
const upTo = (version: number) => Array.from({ length: version + 1 }, (_, n) => `f${n}`).sort();
const code = (code: string) => expect.objectContaining({ code });

async function entries(writer: DeltaWriter): Promise<HistoryEntry[]> {
  const all: HistoryEntry[] = [];
  for await (const entry of history(writer, never)) all.push(entry);
  return all;
}

test('a table that is not there is null, and has no history', async () => {
  const writer = newTable();
  expect(await readSnapshot(writer, never)).toBeNull();
  expect(await readSnapshot(writer, never, 3)).toBeNull();
  expect(await entries(writer)).toEqual([]);
});

test('a table without a checkpoint is read without DuckDB', async () => {
  const writer = newTable();
  const before = place.asked();
  await grow(writer, 9);
  expect(paths(await readSnapshot(writer, never))).toEqual(upTo(9));
  expect(place.asked()).toBe(before);
});

test('every tenth version gets a checkpoint, and only commits after it are read', async () => {
  const writer = newTable();
  await grow(writer, 23);
  expect(JSON.parse(await readFile(logFile(writer, '_last_checkpoint'), 'utf8'))).toMatchObject({
    version: 20,
    size: 3 + 21,
    numOfAddFiles: 21,
  });
  for (let version = 0; version <= 20; version++) await rm(logFile(writer, version));
  const read = await readSnapshot(writer, never);
  expect(read).toMatchObject({ version: 23, timestamp: NOW, metadata: METADATA });
  expect(paths(read)).toEqual(upTo(23));
});

test('a version that has only its checkpoint left was written when the checkpoint was', async () => {
  const writer = newTable();
  await grow(writer, 10);
  for (let version = 0; version <= 10; version++) await rm(logFile(writer, version));
  const read = (await readSnapshot(writer, never))!;
  expect(read.version).toBe(10);
  expect(Math.abs(read.timestamp - Date.now())).toBeLessThan(600_000);
});

test.each<[string, (writer: DeltaWriter) => Promise<void>]>([
  ['no _last_checkpoint: a crash before it', (writer) => rm(logFile(writer, '_last_checkpoint'))],
  ['an empty _last_checkpoint', (writer) => writeFile(logFile(writer, '_last_checkpoint'), '')],
  ['half a _last_checkpoint', (writer) => writeFile(logFile(writer, '_last_checkpoint'), '{"version":2')],
  ['a _last_checkpoint of something else', (writer) => writeFile(logFile(writer, '_last_checkpoint'), 'null')],
  ['a stale _last_checkpoint', (writer) => writeFile(logFile(writer, '_last_checkpoint'), '{"version":10,"size":9}')],
  [
    'a _last_checkpoint of a version to come',
    (writer) => writeFile(logFile(writer, '_last_checkpoint'), '{"version":99}'),
  ],
  ['a _last_checkpoint without its checkpoint', (writer) => rm(checkpointFile(writer, 20))],
  ['the newest checkpoint is cut', (writer) => truncate(checkpointFile(writer, 20), 700)],
  ['the newest checkpoint is empty', (writer) => truncate(checkpointFile(writer, 20), 0)],
  ['the newest checkpoint is another Parquet file', (writer) => otherParquet(checkpointFile(writer, 20))],
  [
    'every checkpoint is cut',
    async (writer) => {
      for (const version of [10, 20]) await truncate(checkpointFile(writer, version), 700);
    },
  ],
])('%s: the table reads the same', async (_, damage) => {
  const writer = newTable();
  await grow(writer, 23);
  await damage(writer);
  const read = (await readSnapshot(writer, never))!;
  expect([read.version, paths(read)]).toEqual([23, upTo(23)]);
  expect(paths(await readSnapshot(writer, never, 21))).toEqual(upTo(21));
  expect(paths(await readSnapshot(writer, never, 9))).toEqual(upTo(9));
  const next = (await commit(writer, read, changes({ add: [added('f24')] }), never)) as Snapshot;
  expect([next.version, paths(next)]).toEqual([24, upTo(24)]);
});

async function otherParquet(path: string): Promise<void> {
  const connection = await place.duck.connect();
  await connection.run(`COPY (SELECT 1 AS x) TO '${path}' (FORMAT parquet)`, never);
}

test('a checkpoint in parts is read whole, and not at all when a part is missing', async () => {
  const writer = newTable();
  await grow(writer, 12);
  const connection = await place.duck.connect();
  const parts = [1, 2, 3].map((part) =>
    logFile(writer, `00000000000000000010.checkpoint.000000000${part}.0000000003.parquet`),
  );
  for (const [n, path] of parts.entries()) {
    const rows = `SELECT * EXCLUDE (n) FROM (SELECT *, row_number() OVER () AS n FROM '${checkpointFile(writer, 10)}')`;
    await connection.run(`COPY (${rows} WHERE n % 3 = ${n}) TO '${path}' (FORMAT parquet)`, never);
  }
  await rm(checkpointFile(writer, 10));
  await rename(logFile(writer, 5), logFile(writer, 'hidden'));
  expect(paths(await readSnapshot(writer, never))).toEqual(upTo(12));
  await rm(parts[1]);
  await expect(readSnapshot(writer, never)).rejects.toMatchObject({ code: 'STAGED_BROKEN' });
  await rename(logFile(writer, 'hidden'), logFile(writer, 5));
  expect(paths(await readSnapshot(writer, never))).toEqual(upTo(12));
});

test('a checkpoint forgets files that were removed longer ago than the table remembers', async () => {
  const writer = newTable();
  const configuration = { 'delta.deletedFileRetentionDuration': 'interval 2 days' };
  let snapshot = await grow(writer, 3);
  const metadata = { ...METADATA, configuration };
  const remove = [removed(added('f1'), NOW - 2 * DAY), removed(added('f2'), NOW - 2 * DAY + 1)];
  snapshot = (await commit(writer, snapshot, changes({ metadata, remove }), never)) as Snapshot;
  expect([...snapshot.tombstones.keys()]).toEqual(['f1', 'f2']);
  await writeCheckpoint(writer, snapshot, NOW, never);
  const read = (await readSnapshot(writer, never))!;
  expect([...read.tombstones.values()]).toEqual([remove[1]]);
  expect(paths(read)).toEqual(['f0', 'f3']);
});

test('V2 checkpoints are refused by name, with and without a uuid in theirs', async () => {
  const writer = newTable();
  await grow(writer, 12);
  const uuid = logFile(writer, '00000000000000000010.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet');
  await rename(checkpointFile(writer, 10), uuid);
  expect(paths(await readSnapshot(writer, never))).toEqual(upTo(12));
  await rm(logFile(writer, 0));
  await expect(readSnapshot(writer, never)).rejects.toEqual(code('STAGED_UNSUPPORTED'));
  const connection = await place.duck.connect();
  const rows = `SELECT *, {'path': 'x.parquet', 'sizeInBytes': 1} AS sidecar FROM '${uuid}'`;
  await connection.run(`COPY (${rows}) TO '${checkpointFile(writer, 10)}' (FORMAT parquet)`, never);
  await expect(readSnapshot(writer, never)).rejects.toEqual(code('STAGED_UNSUPPORTED'));
});

test('versions that are not there yet, or no more, are said to be so', async () => {
  const writer = newTable();
  const snapshot = await grow(writer, 12);
  await expect(readSnapshot(writer, never, 13)).rejects.toMatchObject({
    code: 'STAGED_VERSION',
    message: expect.stringContaining('the newest one is 12'),
  });
  await rm(logFile(writer, 3));
  await expect(readSnapshot(writer, never, 7)).rejects.toMatchObject({ code: 'STAGED_VERSION' });
  await rm(logFile(writer, 0));
  await expect(readSnapshot(writer, never, 7)).rejects.toMatchObject({
    code: 'STAGED_VERSION',
    message: expect.stringContaining('no more'),
  });
  expect((await readSnapshot(writer, never, 10))!.version).toBe(10);
  expect(await readSnapshot(writer, never)).toEqual(snapshot);
});

test('a clean-up between the listing and the reading only makes it begin again', async () => {
  const writer = newTable();
  const snapshot = await grow(writer, 25);
  await writeFile(logFile(writer, '_last_checkpoint'), '{"version":10,"size":9}');
  let listings = 0;
  const list: Lake['list'] = async function* (...given) {
    yield* writer.lake.list(...given);
    if (listings++ > 0) return;
    await rm(checkpointFile(writer, 20));
    await rm(checkpointFile(writer, 10));
    await writeCheckpoint(writer, snapshot, NOW, never);
    for (let version = 0; version <= 24; version++) await rm(logFile(writer, version));
  };
  expect(await readSnapshot({ ...writer, lake: { ...writer.lake, list } }, never)).toEqual(snapshot);
  expect(listings).toBe(2);
});

test('a log with a hole, half a commit or no first commit is broken, not shorter', async () => {
  const writer = newTable();
  await grow(writer, 6);
  const third = await readFile(logFile(writer, 3));
  await rm(logFile(writer, 3));
  await expect(readSnapshot(writer, never)).rejects.toEqual(code('STAGED_BROKEN'));
  await writeFile(logFile(writer, 3), third.subarray(0, third.length - 20));
  await expect(readSnapshot(writer, never)).rejects.toMatchObject({
    code: 'STAGED_BROKEN',
    message: expect.stringContaining('commit 3'),
  });
  await writeFile(logFile(writer, 3), third);
  expect((await readSnapshot(writer, never))!.version).toBe(6);
  await rm(logFile(writer, 0));
  await expect(readSnapshot(writer, never)).rejects.toEqual(code('STAGED_BROKEN'));
});

test('a table that needs what is not known here is refused', async () => {
  const writer = newTable();
  await grow(writer, 2);
  const protocol = { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ['typeWidening'], writerFeatures: [] };
  await writeFile(logFile(writer, 3), `${JSON.stringify({ protocol })}\n`);
  await expect(readSnapshot(writer, never)).rejects.toMatchObject({
    code: 'STAGED_UNSUPPORTED',
    message: expect.stringContaining('typeWidening'),
  });
  expect((await readSnapshot(writer, never, 2))!.version).toBe(2);
});

test('a refreshed snapshot is the newest, and the old one stays as it was', async () => {
  const writer = newTable();
  const old = await grow(writer, 2);
  expect(await refreshSnapshot(writer, old, never)).toBe(old);
  const files = [...old.files.values()];
  await commit(writer, old, changes({ remove: [removed(files[0])], add: [added('g')] }), never);
  const fresh = await refreshSnapshot(writer, old, never);
  expect([fresh.version, paths(fresh), [...fresh.tombstones.keys()]]).toEqual([3, ['f1', 'f2', 'g'], ['f0']]);
  expect(paths(old)).toEqual(upTo(2));
  // Far behind, and what is in between is gone.
  const far = await grow(writer, 64, fresh);
  for (let version = 0; version < 60; version++) await rm(logFile(writer, version));
  expect(await refreshSnapshot(writer, old, never)).toEqual(far);
  await rm(join(place.folder, writer.root), { recursive: true });
  await expect(refreshSnapshot(writer, far, never)).rejects.toEqual(code('STAGED_BROKEN'));
});

test('the log is cleaned up to a checkpoint that is old enough, and what is kept still reads', async () => {
  const writer = newTable();
  const first = await grow(writer, 0);
  const configuration = { 'delta.logRetentionDuration': 'interval 1 day' };
  const set = (await commit(writer, first, changes({ metadata: { ...METADATA, configuration } }), never)) as Snapshot;
  const snapshot = await grow(writer, 25, set);
  await writeFile(logFile(writer, '00000000000000000004.crc'), '{}');
  await writeFile(logFile(writer, '00000000000000000012.00000000000000000025.compacted.json'), '{}');
  expect(paths(await readSnapshot(writer, never, 15))).toEqual(upTo(15).filter((path) => path !== 'f1'));
  const now = Date.now();
  expect(await cleanLog(writer, snapshot, now + DAY / 2, never)).toBe(0);
  expect((await readSnapshot(writer, never, 0))!.version).toBe(0);
  // 20 commits, a checksum, the checkpoint of version 10.
  expect(await cleanLog(writer, snapshot, now + 2 * DAY, never)).toBe(22);
  expect(await cleanLog(writer, snapshot, now + 2 * DAY, never)).toBe(0);
  for (let version = 20; version <= 25; version++)
    expect((await readSnapshot(writer, never, version))!.version).toBe(version);
  expect((await readSnapshot(writer, never))!.files).toEqual(snapshot.files);
  await expect(readSnapshot(writer, never, 19)).rejects.toEqual(code('STAGED_VERSION'));
  expect((await entries(writer)).map(({ version }) => version)).toEqual([25, 24, 23, 22, 21, 20]);
});

test('nothing is cleaned up when the checkpoint that would have to do cannot be read', async () => {
  const writer = newTable();
  const snapshot = await grow(writer, 15);
  await truncate(checkpointFile(writer, 10), 100);
  await expect(cleanLog(writer, snapshot, Date.now() + 60 * DAY, never)).rejects.toEqual(code('STAGED_BROKEN'));
  expect(paths(await readSnapshot(writer, never))).toEqual(upTo(15));
});

test('the history tells newest first what each version did, and who did it', async () => {
  const writer = newTable();
  const snapshot = await grow(writer, 11);
  const info = {
    operation: 'MERGE',
    operationParameters: { run: '7' },
    operationMetrics: { numTargetRowsInserted: '3' },
  };
  await commit(writer, snapshot, { ...changes({ remove: [removed(added('f3')), removed(added('f4'))] }), info }, never);
  await writeFile(
    logFile(writer, 13),
    '{"remove":{"path":"f5","dataChange":true}}\n{"commitInfo":{"operation":"DELETE"}}',
  );
  // A commit that does not say when it was is as old as its file.
  expect(Math.abs((await readSnapshot(writer, never))!.timestamp - Date.now())).toBeLessThan(600_000);
  const all = await entries(writer);
  expect(all.map(({ version }) => version)).toEqual([13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  const nothing = { parameters: {}, metrics: {}, txns: [], filesAdded: 0, filesRemoved: 0, bytesAdded: 0 };
  expect(all[0]).toEqual({
    ...nothing,
    version: 13,
    timestamp: null,
    operation: 'DELETE',
    engineInfo: null,
    filesRemoved: 1,
  });
  expect(all[1]).toMatchObject({
    timestamp: NOW,
    operation: 'MERGE',
    parameters: { run: '7' },
    filesRemoved: 2,
    filesAdded: 0,
  });
  expect(all[1].metrics).toEqual({ numTargetRowsInserted: '3' });
  expect(all[1].engineInfo).toMatch(/^tidemark\/\d/);
  await writeFile(logFile(writer, '_last_checkpoint'), '{"version":99}');
  expect(await entries(writer)).toEqual(all);
  expect(all[2]).toMatchObject({ txns: [{ appId: 'tidemark', version: 11n }], filesAdded: 1, bytesAdded: 10 });
});

test('opening costs the same few requests however long the log is', async () => {
  await using s3 = await s3Fixture({ behaviour: { pageSize: 50 } });
  const writer = place.writer('staged/long', s3.lake);
  const counts = () => ['GetObject', 'ListObjectsV2', 'HeadObject'].map((each) => s3.server.count(each as 'GetObject'));
  const costs: number[][] = [];
  let snapshot: Snapshot | null = null;
  for (const version of [13, 153]) {
    snapshot = await grow(writer, version, snapshot);
    const before = counts();
    expect(paths(await readSnapshot(writer, never))).toEqual(upTo(version));
    costs.push(counts().map((count, n) => count - before[n]));
  }
  // _last_checkpoint, the checkpoint, three commits.
  expect(costs).toEqual([
    [5, 1, 0],
    [5, 1, 0],
  ]);
});
