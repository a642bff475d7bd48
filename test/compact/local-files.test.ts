/** Several files of the lake on the local disk at once: in order, and none left behind when one of them cannot be had. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { localFiles } from '../../src/compact/local-files.ts';
import { COPIES } from '../../src/spool/contents.ts';
import { Spool } from '../../src/spool/spool.ts';
import { type Fixture, s3Fixture } from '../s3/s3-fixture.ts';
import { never, silent } from '../support/state.ts';

let s3: Fixture;
let spool: Spool;
let folder: string;

beforeEach(async () => {
  s3 = await s3Fixture({}, { attemptMs: 10_000 });
  folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-spool-'));
  spool = await Spool.open({ path: folder, limitBytes: 1e9 }, s3.lake, silent);
});
afterEach(async () => {
  await spool[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const names = Array.from({ length: 10 }, (_, i) => `staged/t/${i}.parquet`);
const file = (key: string) => ({ key, bytes: Buffer.byteLength(key) });
const copies = () => readdir(path.join(spool.folder, COPIES));

test('their paths come in the order of the files, and go with the stack', async () => {
  for (const name of names) await s3.lake.put(name, Buffer.from(name), never);
  {
    await using stack = new AsyncDisposableStack();
    const paths = await localFiles(spool, names.map(file), stack, never);
    expect(await Promise.all(paths.map((each) => readFile(each, 'utf8')))).toEqual(names);
    expect(await copies()).toHaveLength(names.length);
  }
  expect(await copies()).toEqual([]);
});

test('one that is missing: its error is thrown, and no copy stays', async () => {
  for (const name of names.slice(0, -1)) await s3.lake.put(name, Buffer.from(name), never);
  const read = async () => {
    await using stack = new AsyncDisposableStack();
    await localFiles(spool, names.map(file), stack, never);
  };
  await expect(read()).rejects.toMatchObject({ code: 'LAKE_NOT_FOUND', place: { key: names.at(-1) } });
  expect(await copies()).toEqual([]);
});

test('a stop ends all of them with its own reason', async () => {
  for (const name of names) await s3.lake.put(name, Buffer.from(name), never);
  const stop = new AbortController();
  const reason = new Error('stopped');
  s3.server.fault({ on: 'GetObject', nth: 3, act: { kind: 'before', run: () => stop.abort(reason) } });
  const read = async () => {
    await using stack = new AsyncDisposableStack();
    await localFiles(spool, names.map(file), stack, stop.signal);
  };
  await expect(read()).rejects.toBe(reason);
  expect(await copies()).toEqual([]);
});
