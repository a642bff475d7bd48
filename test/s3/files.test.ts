import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { S3FaultAction } from '../support/s3-faults.ts';
import { limitsFor, never, PART, s3Fixture } from './s3-fixture.ts';

const KEY = 'staged/t/file.parquet';
const STORED = `pre/${KEY}`;
const PIECE = 8 * 1024 * 1024;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-s3-files-'));
});
afterEach(async () => {
  for (const name of await readdir(folder)) await rm(join(folder, name));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function fileOf(body: Buffer): Promise<string> {
  const path = join(folder, 'from');
  await writeFile(path, body);
  return path;
}

const PASSING: [string, S3FaultAction][] = [
  ['503 SlowDown', { kind: 'answer', status: 503, code: 'SlowDown' }],
  ['500 InternalError', { kind: 'answer', status: 500, code: 'InternalError' }],
  ['a cut connection', { kind: 'reset', afterBytes: 0 }],
  ['no answer', { kind: 'hang', work: false }],
  ['no answer though the work is done', { kind: 'hang', work: true }],
  ['a lost answer', { kind: 'lose-answer' }],
  ['503 after the work', { kind: 'answer-after-work', status: 503, code: 'ServiceUnavailable' }],
];

describe('a local file into the lake', () => {
  test.each(PASSING)('in one request: %s: tried again from its first byte', async (_, act) => {
    await using s3 = await s3Fixture({}, limitsFor(act));
    s3.server.fault({ on: 'PutObject', act });
    const body = randomBytes(PART + 5);
    await s3.lake.putFile(KEY, await fileOf(body), never);
    expect(s3.server.faultsLeft()).toBe(0);
    expect(s3.server.bucket.objects.get(STORED)!.body.equals(body)).toBe(true);
  });

  test('a connection cut in the middle of its bytes is tried again', async () => {
    await using s3 = await s3Fixture();
    s3.server.fault({ on: 'PutObject', times: 2, act: { kind: 'reset', afterBytes: 300_000 } });
    const body = randomBytes(15 * PART);
    await s3.lake.putFile(KEY, await fileOf(body), never);
    expect(s3.server.faultsLeft()).toBe(0);
    expect(s3.server.bucket.objects.get(STORED)!.body.equals(body)).toBe(true);
  });

  test.each(PASSING)('a large one in parts: %s: there once, whole', async (_, act) => {
    await using s3 = await s3Fixture({}, limitsFor(act));
    s3.server.fault({ on: 'UploadPart', nth: 3, act });
    s3.server.fault({ on: 'CompleteMultipartUpload', act: { kind: 'lose-answer' } });
    const body = randomBytes(17 * PART);
    await s3.lake.putFile(KEY, await fileOf(body), never);
    expect(s3.server.faultsLeft()).toBe(0);
    expect(s3.server.count('PutObject')).toBe(0);
    expect(s3.server.bucket.objects.get(STORED)!.body.equals(body)).toBe(true);
    expect(s3.server.bucket.uploads.size).toBe(0);
  });

  test('a large one whose parts fail for good leaves no upload open', async () => {
    await using s3 = await s3Fixture();
    s3.server.fault({ on: 'UploadPart', nth: 9, act: { kind: 'answer', status: 403, code: 'AccessDenied' } });
    const from = await fileOf(randomBytes(20 * PART));
    await expect(s3.lake.putFile(KEY, from, never)).rejects.toMatchObject({ code: 'LAKE_DENIED' });
    expect(s3.server.bucket.uploads.size).toBe(0);
    expect(s3.server.bucket.objects.size).toBe(0);
  });

  test('its checksum goes along, and none to a server that knows no such headers', async () => {
    await using s3 = await s3Fixture();
    const from = await fileOf(randomBytes(1000));
    await s3.lake.putFile('a', from, never);
    await (await s3.open({ checksums: 'none' })).putFile('b', from, never);
    const sent = s3.server.log.map((line) => line.headers['x-amz-checksum-crc32'] !== undefined);
    expect(sent).toEqual([true, false]);
  });

  test.each([['in one request', 5 * PART] as const, ['in parts', 40 * PART] as const])(
    'an abort in the middle ends it, %s',
    async (_, bytes) => {
      await using s3 = await s3Fixture({}, { attemptMs: 60_000 });
      const stop = new AbortController();
      const run = () => stop.abort(new Error('stopped'));
      for (const on of ['PutObject', 'UploadPart'] as const) s3.server.fault({ on, act: { kind: 'before', run } });
      await expect(s3.lake.putFile(KEY, await fileOf(randomBytes(bytes)), stop.signal)).rejects.toThrow('stopped');
      expect(s3.server.faultsLeft()).toBe(1);
      expect(s3.server.bucket.uploads.size).toBe(0);
    },
  );
});

const BROKEN: [string, S3FaultAction][] = [
  ...PASSING,
  ['half of the body', { kind: 'truncate' }],
  ['html of a proxy', { kind: 'html', status: 502 }],
];

describe('the lake’s file into a local one', () => {
  async function stored(bytes: number, act?: S3FaultAction) {
    const s3 = await s3Fixture({}, act && limitsFor(act));
    const body = randomBytes(bytes);
    s3.server.bucket.put(STORED, body, { metadata: {} }, false);
    return { s3, body, to: join(folder, 'to') };
  }

  describe.each([1, 2, 3])('piece %i', (nth) => {
    test.each(BROKEN)('%s: that piece is fetched again', async (_, act) => {
      const { s3, body, to } = await stored(3 * PIECE + 1, act);
      await using _server = s3;
      s3.server.fault({ on: 'GetObject', nth, act });
      const { bytes } = await s3.lake.fetchFile(KEY, to, never);
      expect(s3.server.faultsLeft()).toBe(0);
      expect(bytes).toBe(body.length);
      expect((await readFile(to)).equals(body)).toBe(true);
      expect(s3.server.count('GetObject')).toBe(5);
    });
  });

  test.each<[string, S3FaultAction]>([
    ...BROKEN,
    ['half of the body, and no more', { kind: 'stall' }],
    ['a byte that is another', { kind: 'corrupt' }],
  ])('a small one comes at once; %s: again', async (_, act) => {
    const { s3, body, to } = await stored(3 * PART, act);
    await using _server = s3;
    s3.server.fault({ on: 'GetObject', act });
    await s3.lake.fetchFile(KEY, to, never, { bytes: body.length });
    expect(s3.server.faultsLeft()).toBe(0);
    expect((await readFile(to)).equals(body)).toBe(true);
    expect(s3.server.count('GetObject')).toBe(2);
  });

  test.each([2, 3, 4])('put anew before piece %i is read: an error, and no file', async (nth) => {
    const { s3, body, to } = await stored(4 * PIECE);
    await using _server = s3;
    const run = () => void s3.server.bucket.put(STORED, randomBytes(body.length), { metadata: {} }, false);
    s3.server.fault({ on: 'GetObject', nth, act: { kind: 'before', run } });
    await expect(s3.lake.fetchFile(KEY, to, never)).rejects.toMatchObject({ code: 'LAKE_CHANGED' });
    expect(await readdir(folder)).toEqual([]);
  });

  test('every piece but the first asks for the object that the first was of', async () => {
    const { s3, to } = await stored(3 * PIECE);
    await using _server = s3;
    const { etag } = await s3.lake.fetchFile(KEY, to, never);
    const conditions = s3.server.log.map((line) => line.headers['if-match']);
    expect(conditions).toEqual([undefined, `"${etag}"`, `"${etag}"`]);
  });

  test('a piece that fails for good ends the others, and leaves no file', async () => {
    const { s3, to } = await stored(6 * PIECE);
    await using _server = s3;
    s3.server.fault({ on: 'GetObject', nth: 3, act: { kind: 'answer', status: 403, code: 'AccessDenied' } });
    await expect(s3.lake.fetchFile(KEY, to, never)).rejects.toMatchObject({ code: 'LAKE_DENIED' });
    expect(await readdir(folder)).toEqual([]);
  });

  test('an abort in the middle ends it, and leaves no file', async () => {
    const { s3, to } = await stored(6 * PIECE);
    await using _server = s3;
    const stop = new AbortController();
    const run = () => stop.abort(new Error('stopped'));
    s3.server.fault({ on: 'GetObject', nth: 3, act: { kind: 'before', run } });
    await expect(s3.lake.fetchFile(KEY, to, stop.signal)).rejects.toThrow('stopped');
    expect(await readdir(folder)).toEqual([]);
  });
});
