import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Lake } from '../../src/lake/lake.ts';
import type { S3FaultAction, S3Operation } from '../support/s3-faults.ts';
import { limitsFor, never, ours, PART, s3Fixture } from './s3-fixture.ts';

const KEY = 'raw/t/file';
const STORED = `pre/${KEY}`;

async function prepare(lake: Lake, body: Buffer, owner = ours) {
  const upload = await lake.startUpload(KEY, owner, never);
  await upload.write(Buffer.from(body));
  return upload.finish();
}

const PASSING: [string, S3FaultAction][] = [
  ['503 SlowDown', { kind: 'answer', status: 503, code: 'SlowDown' }],
  ['500 InternalError', { kind: 'answer', status: 500, code: 'InternalError' }],
  ['429', { kind: 'answer', status: 429, code: 'TooManyRequests' }],
  ['400 RequestTimeout', { kind: 'answer', status: 400, code: 'RequestTimeout' }],
  ['a cut connection', { kind: 'reset', afterBytes: 0 }],
  ['no answer', { kind: 'hang', work: false }],
  ['no answer though the work is done', { kind: 'hang', work: true }],
  ['a lost answer', { kind: 'lose-answer' }],
  ['503 after the work', { kind: 'answer-after-work', status: 503, code: 'ServiceUnavailable' }],
];

const WRITES: S3Operation[] = ['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'];

describe.each(WRITES)('%s', (on) => {
  test.each(PASSING)('%s: tried again, the file is whole', async (_, act) => {
    await using s3 = await s3Fixture({}, limitsFor(act));
    s3.server.fault({ on, nth: on === 'UploadPart' ? 2 : 1, act });
    const body = randomBytes(4 * PART + 5);
    await s3.lake.completeUpload(await prepare(s3.lake, body), ours, never);
    expect(s3.server.faultsLeft()).toBe(0);
    expect(s3.server.bucket.objects.get(STORED)!.body.equals(body)).toBe(true);
    expect(s3.server.bucket.objects.size).toBe(1);
  });
});

test('a connection cut in the middle of a part is tried again', async () => {
  await using s3 = await s3Fixture();
  s3.server.fault({ on: 'UploadPart', nth: 1, times: 2, act: { kind: 'reset', afterBytes: 30_000 } });
  const body = randomBytes(3 * PART);
  await s3.lake.completeUpload(await prepare(s3.lake, body), ours, never);
  expect(s3.server.faultsLeft()).toBe(0);
  expect(s3.server.bucket.objects.get(STORED)!.body.equals(body)).toBe(true);
});

describe('Complete, after an unclear answer', () => {
  test.each([
    { kind: 'error-in-200', code: 'InternalError', work: false },
    { kind: 'error-in-200', code: 'InternalError', work: true },
    { kind: 'answer-after-work', status: 412, code: 'PreconditionFailed' },
    { kind: 'answer-after-work', status: 404, code: 'NoSuchUpload' },
    { kind: 'answer', status: 409, code: 'ConditionalRequestConflict' },
    { kind: 'truncate' },
  ] satisfies S3FaultAction[])('$kind $code (work done: $work): the file is there once', async (act) => {
    await using s3 = await s3Fixture();
    s3.server.fault({ on: 'CompleteMultipartUpload', act });
    const body = randomBytes(PART);
    await s3.lake.completeUpload(await prepare(s3.lake, body), ours, never);
    expect(s3.server.faultsLeft()).toBe(0);
    expect(s3.server.bucket.objects.get(STORED)!.body.equals(body)).toBe(true);
    expect(s3.server.bucket.uploads.size).toBe(0);
  });

  test('an error inside 200 for ever is an error', async () => {
    await using s3 = await s3Fixture({}, { attempts: 3 });
    s3.server.fault({
      on: 'CompleteMultipartUpload',
      times: 3,
      act: { kind: 'error-in-200', code: 'InternalError', work: false },
    });
    const file = await prepare(s3.lake, randomBytes(10));
    await expect(s3.lake.completeUpload(file, ours, never)).rejects.toMatchObject({ code: 'LAKE_FAILED' });
    expect(s3.server.count('CompleteMultipartUpload')).toBe(3);
    expect(s3.server.bucket.objects.size).toBe(0);
  });

  test('somebody else who took the key meanwhile keeps it, though the bytes and the ETag are the same', async () => {
    await using s3 = await s3Fixture();
    const body = randomBytes(PART);
    const file = await prepare(s3.lake, body);
    const theirs = await prepare(s3.lake, body, { run: 7n, token: 4n });
    const ids = s3.server.bucket.uploads.get(theirs.upload.id)!;
    const run = () => {
      const parts = theirs.upload.parts.map(({ number, etag, crc32 }) => ({ number, etag, crc32 }));
      s3.server.bucket.complete(ids.id, parts, true);
    };
    s3.server.fault({ on: 'CompleteMultipartUpload', act: { kind: 'before', run } });
    await expect(s3.lake.completeUpload(file, ours, never)).rejects.toMatchObject({ code: 'LAKE_KEY_TAKEN' });
    expect(s3.server.bucket.objects.get(STORED)!.metadata['tidemark-token']).toBe('4');
  });

  test('the condition goes out with the checksums of the parts', async () => {
    await using s3 = await s3Fixture();
    await s3.lake.completeUpload(await prepare(s3.lake, randomBytes(PART + 1)), ours, never);
    const sent = s3.server.log.find((line) => line.operation === 'CompleteMultipartUpload')!;
    expect(sent.headers['if-none-match']).toBe('*');
    expect(
      s3.server.log
        .filter((line) => line.operation === 'UploadPart')
        .every((line) => line.headers['x-amz-checksum-crc32']),
    ).toBe(true);
  });
});

describe.each(['ignored', 'refused'] as const)('a server where the condition is %s', (conditions) => {
  test('completes what is free, and leaves what is taken', async () => {
    await using s3 = await s3Fixture({ behaviour: { conditions } });
    const first = await prepare(s3.lake, Buffer.from('first'));
    const second = await prepare(s3.lake, Buffer.from('second'), { run: 8n, token: 1n });
    await s3.lake.completeUpload(first, ours, never);
    await expect(s3.lake.completeUpload(second, { run: 8n, token: 1n }, never)).rejects.toMatchObject({
      code: 'LAKE_KEY_TAKEN',
    });
    await s3.lake.completeUpload(first, ours, never);
    expect(s3.server.bucket.objects.get(STORED)!.body.toString()).toBe('first');
  });

  test('is noticed by the probe', async () => {
    await using s3 = await s3Fixture({ behaviour: { conditions } });
    const { probePutIfAbsent } = await import('../../src/lake/probe.ts');
    expect(await probePutIfAbsent(s3.lake, never)).toBe('ignored');
    expect(s3.server.bucket.objects.size).toBe(0);
  });
});

describe('putIfAbsent', () => {
  test.each(PASSING)('%s: created, as far as its caller can tell', async (_, act) => {
    await using s3 = await s3Fixture({}, limitsFor(act));
    s3.server.fault({ on: 'PutObject', act });
    expect(await s3.lake.putIfAbsent('log/1.json', Buffer.from('{}'), never)).toBe('created');
    expect(s3.server.faultsLeft()).toBe(0);
    expect(await s3.lake.putIfAbsent('log/1.json', Buffer.from('{}'), never)).toBe('exists');
  });

  test('409 is tried again', async () => {
    await using s3 = await s3Fixture();
    s3.server.fault({ on: 'PutObject', act: { kind: 'answer', status: 409, code: 'ConditionalRequestConflict' } });
    expect(await s3.lake.putIfAbsent('log/1.json', Buffer.from('{}'), never)).toBe('created');
  });

  test('somebody else was faster while our first answer was lost: exists, though the bytes are equal', async () => {
    await using s3 = await s3Fixture();
    s3.server.fault({ on: 'PutObject', act: { kind: 'answer', status: 503, code: 'SlowDown' } });
    const run = () =>
      void s3.server.bucket.put('pre/log/1.json', Buffer.from('{}'), { metadata: { 'tidemark-put': 'theirs' } }, true);
    s3.server.fault({ on: 'PutObject', act: { kind: 'before', run } });
    expect(await s3.lake.putIfAbsent('log/1.json', Buffer.from('{}'), never)).toBe('exists');
    expect(s3.server.faultsLeft()).toBe(0);
  });
});

describe('GetObject', () => {
  test.each([
    ...PASSING.filter(([name]) => !/work/.test(name)),
    ['half a body', { kind: 'truncate' }],
    ['a body that stops coming', { kind: 'stall' }],
    ['a changed byte', { kind: 'corrupt' }],
  ] as [string, S3FaultAction][])('%s: read again, whole', async (_, act) => {
    await using s3 = await s3Fixture({}, limitsFor(act));
    const body = randomBytes(100_000);
    await s3.lake.putIfAbsent(KEY, body, never);
    s3.server.fault({ on: 'GetObject', act });
    expect((await s3.lake.get(KEY, never)).equals(body)).toBe(true);
    expect(s3.server.faultsLeft()).toBe(0);
    expect(s3.server.count('GetObject')).toBe(2);
  });

  test('a slow body is waited for, as long as it comes', async () => {
    await using s3 = await s3Fixture({}, { attemptMs: 2_000 });
    const body = randomBytes(100_000);
    await s3.lake.putIfAbsent(KEY, body, never);
    s3.server.fault({ on: 'GetObject', act: { kind: 'slow', pieceBytes: 10_000, pauseMs: 250 } });
    expect((await s3.lake.get(KEY, never)).equals(body)).toBe(true);
    expect(s3.server.count('GetObject')).toBe(1);
  });

  test('a range is cut short as well', async () => {
    await using s3 = await s3Fixture();
    const body = randomBytes(1000);
    await s3.lake.putIfAbsent(KEY, body, never);
    s3.server.fault({ on: 'GetObject', act: { kind: 'truncate' } });
    expect((await s3.lake.get(KEY, never, [100, 300])).equals(body.subarray(100, 300))).toBe(true);
    expect(s3.server.faultsLeft()).toBe(0);
  });
});

describe('listing', () => {
  test.each([
    ['half a page', { kind: 'truncate' }],
    ['503', { kind: 'answer', status: 503, code: 'SlowDown' }],
    ['a lost answer', { kind: 'lose-answer' }],
  ] as [string, S3FaultAction][])('%s on the second page: every key once', async (_, act) => {
    await using s3 = await s3Fixture({ behaviour: { pageSize: 7 } });
    for (let n = 0; n < 30; n++) s3.server.bucket.put(`pre/l/${n}`, Buffer.from('x'), { metadata: {} }, false);
    s3.server.fault({ on: 'ListObjectsV2', nth: 2, act });
    const found: string[] = [];
    for await (const each of s3.lake.list('l/', never)) found.push(each.key);
    expect(found.length).toBe(30);
    expect(new Set(found).size).toBe(30);
    expect(s3.server.faultsLeft()).toBe(0);
  });

  test('open uploads over pages, keys in need of encoding, with and without a server that encodes', async () => {
    for (const urlEncoding of [true, false]) {
      await using s3 = await s3Fixture({ behaviour: { pageSize: 3, urlEncoding } });
      for (let n = 0; n < 10; n++) await s3.lake.startUpload(`u/a b+c%${n % 4}`, ours, never);
      expect(await s3.lake.abortUploads('u/', never)).toBe(10);
      expect(s3.server.bucket.uploads.size).toBe(0);
    }
  });

  test("what lies outside the lake's prefix is not of the lake", async () => {
    await using s3 = await s3Fixture();
    for (const key of ['prefix/a', 'pre', 'pre/', 'pre/folder/', 'pre/in', 'other']) {
      s3.server.bucket.put(key, Buffer.from('x'), { metadata: {} }, false);
    }
    const found: string[] = [];
    for await (const each of s3.lake.list('', never)) found.push(each.key);
    expect(found).toEqual(['in']);
  });
});

describe('delete', () => {
  test('one by one where the server knows no DeleteObjects', async () => {
    await using s3 = await s3Fixture({ behaviour: { batchDelete: false } });
    for (let n = 0; n < 20; n++) s3.server.bucket.put(`pre/d/${n}`, Buffer.from('x'), { metadata: {} }, false);
    await s3.lake.delete(
      [...Array(20).keys()].map((n) => `d/${n}`),
      never,
    );
    expect(s3.server.bucket.objects.size).toBe(0);
  });

  test('2,500 keys are three requests', async () => {
    await using s3 = await s3Fixture();
    await s3.lake.delete(
      [...Array(2500).keys()].map((n) => `d/${n}`),
      never,
    );
    expect(s3.server.count('DeleteObjects')).toBe(3);
  });

  test('an error inside the answer is an error; a passing one is tried again for its keys alone', async () => {
    await using s3 = await s3Fixture();
    for (const key of ['a', 'b']) s3.server.bucket.put(`pre/${key}`, Buffer.from('x'), { metadata: {} }, false);
    s3.server.fault({ on: 'DeleteObjects', act: { kind: 'fail-key', key: 'pre/b', code: 'InternalError' } });
    await s3.lake.delete(['a', 'b'], never);
    expect(s3.server.bucket.objects.size).toBe(0);
    const [both, left] = s3.server.log.map((line) => Number(line.headers['content-length']));
    expect(left).toBeLessThan(both);
    expect(s3.server.count('DeleteObjects')).toBe(2);
    s3.server.bucket.put('pre/c', Buffer.from('x'), { metadata: {} }, false);
    s3.server.fault({ on: 'DeleteObjects', act: { kind: 'fail-key', key: 'pre/c', code: 'AccessDenied' } });
    await expect(s3.lake.delete(['c'], never)).rejects.toMatchObject({ code: 'LAKE_DENIED' });
  });
});
