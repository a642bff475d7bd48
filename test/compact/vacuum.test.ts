/** Vacuum on real tables. Files and commits are written now; vacuum is told that days have passed. */

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, utimes } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AddFile, Commit, DeletionVectorRef, Snapshot } from '../../src/compact/delta/actions.ts';
import { duckCheckpoints } from '../../src/compact/delta/checkpoint-duck.ts';
import { commit } from '../../src/compact/delta/commit.ts';
import { vectorPath } from '../../src/compact/delta/deletion-vector.ts';
import { readSnapshot } from '../../src/compact/delta/read-log.ts';
import { vacuum } from '../../src/compact/vacuum.ts';
import { Duck } from '../../src/duckdb/duck.ts';
import type { Lake } from '../../src/lake/lake.ts';
import { BACKENDS, type Place } from '../lake/backends.ts';

const DAY = 86_400_000;
const START = Date.now();
const signal = new AbortController().signal;

const COLUMNS = [{ name: 'id', type: 'long', nullable: true, metadata: {} }];
const INFO = { operation: 'WRITE', operationParameters: {} };
const PLAIN = { minReaderVersion: 1, minWriterVersion: 2 };
const WITH_VECTORS = {
  minReaderVersion: 3,
  minWriterVersion: 7,
  readerFeatures: ['deletionVectors'],
  writerFeatures: ['deletionVectors'],
};

let temporary: string;
let duck: Duck;

beforeAll(async () => {
  temporary = await mkdtemp(path.join(os.tmpdir(), 'tidemark-vacuum-'));
  const opened = await Duck.open({ memoryBytes: 100e6, threads: 1, tempFolder: temporary, tempBytes: 1e9 });
  duck = opened;
});
afterAll(async () => {
  await duck[Symbol.asyncDispose]();
  await rm(temporary, { recursive: true, force: true });
});

/** A Delta table whose files hold a few bytes: nothing here reads them. */
function tableIn(lake: Lake, folder = 'invoice') {
  const table = {
    lake,
    root: `staged/${folder}`,
    checkpoints: duckCheckpoints({ duck: async () => duck, folder: temporary }),
  };
  let snapshot: Snapshot | null = null;
  const put = (name: string) => lake.putIfAbsent(`${table.root}/${name}`, Buffer.from('bytes'), signal);
  const file = (name: string, deletionVector: DeletionVectorRef | null = null): AddFile => ({
    path: name,
    partitionValues: {},
    size: 5,
    modificationTime: START,
    dataChange: true,
    stats: null,
    deletionVector,
  });
  /** Commits at a day after START; `add` and `remove`: the data files' names. */
  const write = async (day: number, add: AddFile[], remove: AddFile[] = [], more: Partial<Commit> = {}) => {
    const first = {
      protocol: PLAIN,
      metadata: { id: randomUUID(), columns: COLUMNS, partitionColumns: [], configuration: {} },
    };
    const deletionTimestamp = START + day * DAY;
    const removes = remove.map(({ modificationTime, stats, ...rest }) => ({ ...rest, deletionTimestamp }));
    const writer = { ...table, now: () => START + day * DAY, warn: (problem: Error) => expect(problem).toBeNull() };
    const all = { ...(snapshot ? {} : first), info: INFO, add, remove: removes, ...more };
    const next = await commit(writer, snapshot, all, signal);
    if (next === 'conflict') throw new Error('nobody else writes here');
    snapshot = next;
  };
  const run = async (day: number, retentionDays: number, dryRun = false) => {
    const gone: string[] = [];
    const order = {
      retentionMs: retentionDays * DAY,
      dryRun,
      now: START + day * DAY,
      onFile: (name: string) => gone.push(name),
    };
    const found = await vacuum(table, order, signal);
    return found && { ...found, gone: gone.sort() };
  };
  const files = async () => {
    const names: string[] = [];
    for await (const { key } of lake.list(`${table.root}/`, signal)) names.push(key.slice(table.root.length + 1));
    return names;
  };
  const data = async () => (await files()).filter((name) => !name.startsWith('_'));
  return { table, put, file, write, run, files, data };
}

describe.each(BACKENDS)('$name', ({ open }) => {
  let place: Place;
  beforeAll(async () => {
    if (open) place = await open();
  });
  afterAll(() => place?.[Symbol.asyncDispose]());

  test.skipIf(!open)('what no version within the retention names goes, in a dry run only by name', async () => {
    const { table, put, file, write, run, data, files } = tableIn(place.lake);
    for (const name of ['a.parquet', 'b.parquet', 'c.parquet', 'orphan.parquet', '_other/kept']) await put(name);
    await write(0, [file('a.parquet'), file('b.parquet')]);
    await write(2, [file('c.parquet')], [file('a.parquet')]);
    await write(5, [], [file('b.parquet')]);
    const before = await files();
    expect(await run(10, 7, true)).toEqual({ files: 2, bytes: 10, kept: 2, gone: ['a.parquet', 'orphan.parquet'] });
    expect(await files()).toEqual(before);
    expect(await run(10, 7)).toMatchObject({ gone: ['a.parquet', 'orphan.parquet'] });
    expect(await data()).toEqual(['b.parquet', 'c.parquet']);
    expect(await files()).toContain('_other/kept');
    // Version 1 was the newest until day 5: a reader that opened it on day 4 still has all of it.
    const opened = await readSnapshot(table, signal, 1);
    expect([...opened!.files.keys()].sort()).toEqual(await data());
    expect(await run(10, 7)).toEqual({ files: 0, bytes: 0, kept: 2, gone: [] });
    expect(await run(13, 7)).toMatchObject({ gone: ['b.parquet'] });
  });

  test.skipIf(!open)('many files go in several requests', async () => {
    const { put, file, write, run, data } = tableIn(place.lake, 'many');
    await write(0, [file('live')]);
    await put('live');
    const names = Array.from({ length: 2_100 }, (_, i) => `orphan-${i}`);
    for (let at = 0; at < names.length; at += 50) await Promise.all(names.slice(at, at + 50).map(put));
    expect(await run(8, 7)).toMatchObject({ files: 2_100, kept: 1 });
    expect(await data()).toEqual(['live']);
  });
});

describe('in a folder', () => {
  let place: Place;
  beforeAll(async () => {
    place = await BACKENDS[0].open!();
  });
  afterAll(() => place[Symbol.asyncDispose]());

  test('where there is no table nothing is touched', async () => {
    const { put, run, data } = tableIn(place.lake, 'none');
    await put('somebody-elses');
    expect(await run(900, 1)).toBeNull();
    expect(await data()).toEqual(['somebody-elses']);
  });

  test('deletion vectors stay as long as a version names them', async () => {
    const vector = (pathOrInlineDv: string): DeletionVectorRef => ({
      storageType: 'u',
      pathOrInlineDv,
      offset: 1,
      sizeInBytes: 40,
      cardinality: 1,
    });
    const [v1, v2] = [vector('vBn[lx{q8@P<9BNH/isA'), vector('^-aqEH.-t@S}K{vb[*k^')];
    const [bin1, bin2] = [vectorPath(v1)!, vectorPath(v2)!];
    const { put, file, write, run, data } = tableIn(place.lake, 'vectors');
    for (const name of ['a.parquet', bin1, bin2]) await put(name);
    await write(0, [file('a.parquet')], [], { protocol: WITH_VECTORS });
    await write(1, [file('a.parquet', v1)], [file('a.parquet')]);
    await write(2, [file('a.parquet', v2)], [file('a.parquet', v1)]);
    expect(await run(8, 7)).toMatchObject({ files: 0, kept: 3 });
    expect(await run(10, 7)).toMatchObject({ gone: [bin1] });
    expect((await data()).sort()).toEqual(['a.parquet', bin2].sort());
  });

  test('a retention longer than checkpoints remember is kept by the log', async () => {
    const { table, put, file, write, run } = tableIn(place.lake, 'long');
    await put('a');
    await write(0, [file('a')]);
    await write(1, [], [file('a')]);
    for (let version = 2; version <= 11; version++) await write(version, []);
    // The checkpoint of version 10, made on day 10, has forgotten that `a` was removed on day 1.
    expect((await readSnapshot(table, signal))!.tombstones.size).toBe(0);
    const log = (version: number) =>
      path.join(place.lake.localPath(table.root)!, '_delta_log', `${version}`.padStart(20, '0'));
    for (let version = 0; version <= 11; version++) {
      const at = new Date(START + version * DAY);
      await utimes(`${log(version)}.json`, at, at);
    }
    // By its own age the file could go: it was written on day 0.
    expect(await run(11, 10.5)).toMatchObject({ files: 0, kept: 1 });
    expect(await run(13, 10.5)).toMatchObject({ gone: ['a'] });
  });

  test('versions whose log is older than it is kept go from it, and the table reads as before', async () => {
    const { table, put, file, write, run, files } = tableIn(place.lake, 'old-log');
    for (let version = 0; version <= 12; version++) {
      await put(`f${version}`);
      await write(version, [file(`f${version}`)]);
    }
    const before = await readSnapshot(table, signal);
    const commits = async () => (await files()).filter((name) => name.endsWith('.json')).length;
    expect(await run(29, 7)).toMatchObject({ files: 0 });
    expect(await commits()).toBe(13);
    // The files of these versions are kept for longer: so is what names them.
    await run(40, 60);
    expect(await commits()).toBe(13);
    await run(40, 7, true);
    expect(await commits()).toBe(13);
    await run(40, 7);
    expect(await commits()).toBe(3);
    expect(await readSnapshot(table, signal)).toEqual(before);
  });

  test('a table with features that are not known here is left alone', async () => {
    const { put, file, write, run, data } = tableIn(place.lake, 'odd');
    await put('orphan');
    await write(0, [file('a')]);
    const protocol = { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ['rowTracking'] };
    const line = `${JSON.stringify({ commitInfo: {} })}\n${JSON.stringify({ protocol })}\n`;
    await place.lake.putIfAbsent('staged/odd/_delta_log/00000000000000000001.json', Buffer.from(line), signal);
    await expect(run(30, 7)).rejects.toMatchObject({ code: 'STAGED_UNSUPPORTED' });
    expect(await data()).toEqual(['orphan']);
  });

  test('a signal ends it between two files', async () => {
    const { table, put, file, write, data } = tableIn(place.lake, 'stopped');
    await write(0, [file('live')]);
    for (let i = 0; i < 5; i++) await put(`orphan-${i}`);
    const controller = new AbortController();
    const order = { retentionMs: DAY, dryRun: false, now: START + 9 * DAY, onFile: () => controller.abort() };
    await expect(vacuum(table, order, controller.signal)).rejects.toThrow(/abort/i);
    expect(await data()).toHaveLength(5);
  });
});
