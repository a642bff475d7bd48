import { inspect } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { openLake } from '../../src/lake/open.ts';
import { probeWritable } from '../../src/lake/probe.ts';
import type { S3Operation } from '../support/s3-faults.ts';
import { never, ours, s3Fixture } from './s3-fixture.ts';

const denied = { kind: 'answer', status: 403, code: 'AccessDenied' } as const;

afterEach(() => vi.unstubAllEnvs());

test('no bucket: says which and where, before any file', async () => {
  await using s3 = await s3Fixture();
  const lake = await openLake({
    url: 's3://nowhere',
    baseDir: '/',
    s3: { endpoint: s3.server.endpoint, force_path_style: true },
  });
  await expect(lake.startUpload('a', ours, never)).rejects.toMatchObject({
    code: 'LAKE_BUCKET_MISSING',
    message: expect.stringContaining('nowhere'),
    hint: expect.stringContaining('s3.region'),
  });
  await lake[Symbol.asyncDispose]();
});

test.each<[S3Operation, string]>([
  ['CreateMultipartUpload', 's3:PutObject'],
  ['UploadPart', 's3:PutObject'],
  ['CompleteMultipartUpload', 's3:PutObject'],
  ['HeadObject', 's3:ListBucket'],
  ['GetObject', 's3:GetObject'],
  ['ListObjectsV2', 's3:ListBucket'],
  ['ListMultipartUploads', 's3:ListBucketMultipartUploads'],
  ['DeleteObjects', 's3:DeleteObject'],
])('%s denied: the probe names the permission, after one attempt', async (on, permission) => {
  await using s3 = await s3Fixture();
  s3.server.fault({ on, act: denied });
  const failure = probeWritable(s3.lake, never);
  await expect(failure).rejects.toMatchObject({ code: 'LAKE_DENIED', hint: expect.stringContaining(permission) });
  expect(s3.sleeps).toEqual([]);
});

describe('credentials', () => {
  test('none anywhere: the hint names the AWS chain', async () => {
    await using s3 = await s3Fixture();
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined);
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere');
    vi.stubEnv('AWS_CONFIG_FILE', '/nowhere');
    const lake = await s3.open();
    await expect(lake.head('a', never)).rejects.toMatchObject({
      code: 'LAKE_DENIED',
      hint: expect.stringContaining('AWS_ACCESS_KEY_ID'),
    });
    expect(s3.sleeps).toEqual([]);
  });

  test.each(['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'ExpiredToken'])(
    '%s: no secret gets into the error',
    async (code) => {
      await using s3 = await s3Fixture();
      vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAVISIBLE');
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'very-secret-key');
      vi.stubEnv('AWS_SESSION_TOKEN', 'very-secret-token');
      const lake = await s3.open();
      s3.server.fault({ on: 'ListObjectsV2', act: { kind: 'answer', status: 403, code, echo: true } });
      const error = await entriesError(lake);
      expect(error).toMatchObject({ code: 'LAKE_DENIED', message: expect.stringContaining(code) });
      expect(s3.server.log[0].headers['x-amz-security-token']).toBe('very-secret-token');
      expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/very-secret|Signature=/);
    },
  );

  test.each(['http://user:hunter2@127.0.0.1:1', 'ftp://x', '127.0.0.1:9000'])(
    'the endpoint %s is refused, unprinted',
    async (endpoint) => {
      const opened = openLake({ url: 's3://lake', baseDir: '/', s3: { endpoint } });
      const error = await opened.catch((caught) => caught);
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
      expect(inspect(error)).not.toContain('hunter2');
    },
  );
});

async function entriesError(lake: Awaited<ReturnType<typeof openLake>>): Promise<unknown> {
  try {
    for await (const _ of lake.list('', never));
  } catch (error) {
    return error;
  }
}

describe('no way to the server', () => {
  test.each(['http://127.0.0.1:1', 'http://no-such-host.invalid:9000'])(
    '%s: unreachable, after few attempts',
    async (endpoint) => {
      await using s3 = await s3Fixture();
      const lake = await s3.open({ endpoint });
      await expect(lake.head('a', never)).rejects.toMatchObject({
        code: 'LAKE_UNREACHABLE',
        hint: expect.stringContaining('s3.endpoint'),
      });
      expect(s3.sleeps.length).toBe(3);
    },
  );

  test('a server that went away after it had answered gets the whole budget', async () => {
    await using s3 = await s3Fixture({}, { attempts: 7 });
    s3.server.fault({ on: 'HeadObject', act: denied });
    await expect(s3.lake.head('a', never)).rejects.toMatchObject({ code: 'LAKE_DENIED' });
    await s3.server[Symbol.asyncDispose]();
    await expect(s3.lake.head('a', never)).rejects.toMatchObject({ code: 'LAKE_UNREACHABLE' });
    expect(s3.sleeps.length).toBe(6);
  });
});

test('another region: the hint names it', async () => {
  await using s3 = await s3Fixture();
  s3.server.fault({
    on: 'HeadObject',
    act: { kind: 'answer', status: 301, code: 'PermanentRedirect', headers: { 'x-amz-bucket-region': 'eu-north-1' } },
  });
  await expect(s3.lake.head('a', never)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    hint: 's3.region: eu-north-1',
  });
});

test('no room: LAKE_FULL', async () => {
  await using s3 = await s3Fixture();
  s3.server.fault({ on: 'PutObject', times: 9, act: { kind: 'answer', status: 400, code: 'QuotaExceeded' } });
  await expect(s3.lake.putIfAbsent('a', Buffer.from('x'), never)).rejects.toMatchObject({ code: 'LAKE_FULL' });
});

test('anything else carries S3 code, status and request id', async () => {
  await using s3 = await s3Fixture();
  s3.server.fault({ on: 'PutObject', act: { kind: 'answer', status: 400, code: 'EntityTooLarge' } });
  await expect(s3.lake.putIfAbsent('a', Buffer.from('x'), never)).rejects.toMatchObject({
    code: 'LAKE_FAILED',
    message: expect.stringMatching(/EntityTooLarge.*400.*TESTREQUEST/),
    place: { key: 'a' },
  });
});

test("a proxy's HTML instead of S3's XML is tried again, then told with its status", async () => {
  await using s3 = await s3Fixture({}, { attempts: 3 });
  s3.server.fault({ on: 'ListObjectsV2', times: 3, act: { kind: 'html', status: 502 } });
  expect(await entriesError(s3.lake)).toMatchObject({ code: 'LAKE_FAILED', message: expect.stringContaining('502') });
  expect(s3.sleeps.length).toBe(2);
});

test('a stop ends a hung request and a long sleep at once, with its own reason', async () => {
  await using s3 = await s3Fixture({}, { attemptMs: 60_000 });
  const reason = new Error('stopped by the user');
  const stop = new AbortController();
  s3.server.fault({ on: 'HeadObject', act: { kind: 'hang', work: false } });
  const hung = s3.lake.head('a', stop.signal);
  await vi.waitFor(() => expect(s3.server.count('HeadObject')).toBe(1), 30_000);
  stop.abort(reason);
  await expect(hung).rejects.toBe(reason);

  const again = new AbortController();
  const s3Settings = { endpoint: s3.server.endpoint, region: 'us-east-1', force_path_style: true };
  const sleepy = await openLake(
    { url: 's3://lake', baseDir: '/', s3: s3Settings },
    { retry: { baseMs: 3_600_000, capMs: 3_600_000 }, tools: { random: () => 1 } },
  );
  s3.server.fault({ on: 'HeadObject', act: { kind: 'answer', status: 503, code: 'SlowDown' } });
  const asleep = sleepy.head('a', again.signal);
  await vi.waitFor(() => expect(s3.server.count('HeadObject')).toBe(2), 30_000);
  again.abort(reason);
  await expect(asleep).rejects.toBe(reason);
  await sleepy[Symbol.asyncDispose]();
});
