import { randomBytes } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { never, ours, PART, s3Fixture } from './s3-fixture.ts';

test('at most three parts are on their way, and the writer waits for room', async () => {
  await using s3 = await s3Fixture({}, { attemptMs: 60_000 });
  s3.server.fault({ on: 'UploadPart', times: 3, act: { kind: 'hang', work: false } });
  const stop = new AbortController();
  const upload = await s3.lake.startUpload('a', ours, stop.signal);
  await upload.write(randomBytes(3 * PART));
  let more = false;
  const waiting = upload.write(randomBytes(1)).then(() => {
    more = true;
  });
  await vi.waitFor(() => expect(s3.server.count('UploadPart')).toBe(3), 30_000);
  expect(more).toBe(false);
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await upload.abort();
  expect(s3.server.bucket.uploads.size).toBe(0);
});

test('a part that fails for good ends the upload: the next write says why', async () => {
  await using s3 = await s3Fixture();
  s3.server.fault({ on: 'UploadPart', nth: 2, act: { kind: 'answer', status: 403, code: 'AccessDenied' } });
  const upload = await s3.lake.startUpload('a', ours, never);
  const write = async () => {
    for (let n = 0; n < 100; n++) await upload.write(randomBytes(PART));
    await upload.finish();
  };
  await expect(write()).rejects.toMatchObject({ code: 'LAKE_DENIED' });
  await expect(upload.finish()).rejects.toMatchObject({ code: 'LAKE_DENIED' });
  expect(s3.server.count('UploadPart')).toBeLessThan(10);
  await upload.abort();
  expect(s3.server.bucket.uploads.size).toBe(0);
});

test('a part that fails for good does not leave the writer waiting for the others', async () => {
  await using s3 = await s3Fixture({}, { attemptMs: 3_600_000 });
  s3.server.fault({ on: 'UploadPart', act: { kind: 'hang', work: false } });
  s3.server.fault({ on: 'UploadPart', act: { kind: 'answer', status: 403, code: 'AccessDenied' } });
  const upload = await s3.lake.startUpload('a', ours, never);
  await upload.write(randomBytes(2 * PART));
  await expect(upload.finish()).rejects.toMatchObject({ code: 'LAKE_DENIED' });
  expect(s3.server.faultsLeft()).toBe(0);
  // Else the hung part ends it, after the socket's 30 s.
}, 25_000);

test('parts go out without waiting for 100-continue', async () => {
  await using s3 = await s3Fixture();
  const lake = await s3.open({ part_size: 5 * 1024 * 1024 });
  const upload = await lake.startUpload('a', ours, never);
  await upload.write(randomBytes(6 * 1024 * 1024));
  await upload.finish();
  expect(s3.server.log.filter((line) => 'expect' in line.headers)).toEqual([]);
});

test('connections are kept: many files, few connections', async () => {
  await using s3 = await s3Fixture();
  for (let n = 0; n < 20; n++) {
    const upload = await s3.lake.startUpload(`f/${n}`, ours, never);
    await upload.write(randomBytes(5 * PART));
    await s3.lake.completeUpload(await upload.finish(), ours, never);
  }
  expect(s3.server.log.length).toBeGreaterThan(150);
  expect(s3.server.connections()).toBeLessThanOrEqual(5);
});

test('the object says which run and token made it', async () => {
  await using s3 = await s3Fixture();
  const upload = await s3.lake.startUpload('a', { run: 12345678901234567890n, token: 9n }, never);
  await upload.write(Buffer.from('x'));
  await s3.lake.completeUpload(await upload.finish(), { run: 12345678901234567890n, token: 9n }, never);
  expect(s3.server.bucket.objects.get('pre/a')!.metadata).toEqual({
    'tidemark-run': '12345678901234567890',
    'tidemark-token': '9',
  });
});

test('every request names the expected owner of the bucket; a wrong one is denied', async () => {
  await using s3 = await s3Fixture({ behaviour: { owner: '111122223333' } });
  const lake = await s3.open({ expected_bucket_owner: '111122223333' });
  const { probeWritable } = await import('../../src/lake/probe.ts');
  await probeWritable(lake, never);
  await lake.putIfAbsent('p', Buffer.from('x'), never);
  await lake.head('p', never);
  const open = await lake.startUpload('q', ours, never);
  await open.abort();
  const operations = new Set(s3.server.log.map((line) => line.operation));
  expect(operations.size).toBe(10);
  expect(s3.server.log.filter((line) => line.headers['x-amz-expected-bucket-owner'] !== '111122223333')).toEqual([]);
  const wrong = await s3.open({ expected_bucket_owner: '999999999999' });
  await expect(wrong.putIfAbsent('z', Buffer.from('x'), never)).rejects.toMatchObject({ code: 'LAKE_DENIED' });
});

test('server-side encryption is asked for wherever an object is made', async () => {
  await using s3 = await s3Fixture();
  const lake = await s3.open({ sse: 'aws:kms', sse_kms_key_id: 'key-1' });
  await lake.putIfAbsent('p', Buffer.from('x'), never);
  await lake.startUpload('q', ours, never);
  for (const line of s3.server.log) {
    expect(line.headers['x-amz-server-side-encryption']).toBe('aws:kms');
    expect(line.headers['x-amz-server-side-encryption-aws-kms-key-id']).toBe('key-1');
  }
  expect(s3.server.log.length).toBe(2);
});

test('without checksums no checksum header goes out, and the file is the same', async () => {
  await using s3 = await s3Fixture();
  const lake = await s3.open({ checksums: 'none' });
  const body = randomBytes(2 * PART + 1);
  const upload = await lake.startUpload('a', ours, never);
  await upload.write(body);
  s3.server.behaviour.partChecksums = false;
  await lake.completeUpload(await upload.finish(), ours, never);
  await lake.putIfAbsent('b', body, never);
  expect(s3.server.bucket.objects.get('pre/a')!.body.equals(body)).toBe(true);
  const headers = s3.server.log.flatMap((line) => Object.keys(line.headers));
  expect(headers.filter((name) => /checksum/.test(name))).toEqual([]);
});
