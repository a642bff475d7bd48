import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lake, LakeObject } from '../../src/lake/lake.ts';
import { probePutIfAbsent, probeWritable } from '../../src/lake/probe.ts';
import type { PreparedFile } from '../../src/model/run.ts';
import { BACKENDS, type Place } from './backends.ts';

const never = new AbortController().signal;
const ours = { run: 7n, token: 3n };

async function prepare(lake: Lake, key: string, chunks: Buffer[], owner = ours): Promise<PreparedFile> {
  const upload = await lake.startUpload(key, owner, never);
  for (const chunk of chunks) await upload.write(Buffer.from(chunk));
  return upload.finish();
}

async function entries(lake: Lake, prefix: string, signal = never): Promise<LakeObject[]> {
  const found: LakeObject[] = [];
  for await (const each of lake.list(prefix, signal)) found.push(each);
  return found;
}

const keys = async (lake: Lake, prefix: string) => (await entries(lake, prefix)).map((each) => each.key);

const throughJson = (file: PreparedFile): PreparedFile => JSON.parse(JSON.stringify(file));

describe.each(BACKENDS)('$name', ({ open, anyKey, partSize }) => {
  if (open === null) return test.skip('not here', () => {});
  let place: Place;
  let lake: Lake;
  beforeAll(async () => {
    place = await open();
    lake = place.lake;
  });
  afterAll(() => place?.[Symbol.asyncDispose]());

  test('a file is invisible until it is completed, then there with exactly its bytes', async () => {
    const body = randomBytes(300_000);
    const chunks = [body.subarray(0, 1), body.subarray(1, 1), body.subarray(1, 70_000), body.subarray(70_000)];
    const file = await prepare(lake, 'raw/a/one.parquet', chunks);
    expect(file).toMatchObject({ key: 'raw/a/one.parquet', bytes: 300_000 });
    expect(await keys(lake, 'raw/a')).toEqual([]);
    expect(await lake.head('raw/a/one.parquet', never)).toBeNull();
    await expect(lake.get('raw/a/one.parquet', never)).rejects.toMatchObject({ code: 'LAKE_NOT_FOUND' });
    await lake.completeUpload(file, ours, never);
    expect((await lake.get('raw/a/one.parquet', never)).equals(body)).toBe(true);
    expect(await keys(lake, 'raw/a')).toEqual(['raw/a/one.parquet']);
    expect(await lake.head('raw/a/one.parquet', never)).toMatchObject({ key: 'raw/a/one.parquet', bytes: 300_000 });
    expect(await keys(lake, '')).not.toContainEqual(expect.stringContaining('_uploads'));
  });

  test('a file of many parts, of a part exactly, and of a byte more or less', async () => {
    for (const bytes of [partSize - 1, partSize, partSize + 1, 2 * partSize, 5 * partSize + 17]) {
      const body = randomBytes(bytes);
      const file = await prepare(lake, `raw/parts/${bytes}`, [body]);
      await lake.completeUpload(throughJson(file), ours, never);
      expect((await lake.get(`raw/parts/${bytes}`, never)).equals(body)).toBe(true);
      const range: [number, number] = [partSize - 3, partSize + 3];
      expect((await lake.get(`raw/parts/${bytes}`, never, range)).equals(body.subarray(...range))).toBe(true);
    }
  });

  test('any cut of the bytes into chunks gives the same file', async () => {
    let n = 0;
    const lengths = fc.array(fc.integer({ min: 0, max: 200_000 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(lengths, async (sizes) => {
        const chunks = sizes.map((size) => randomBytes(size));
        const key = `raw/cuts/${n++}`;
        const file = await prepare(lake, key, chunks);
        await lake.completeUpload(file, ours, never);
        expect((await lake.get(key, never)).equals(Buffer.concat(chunks))).toBe(true);
      }),
      { numRuns: 12 },
    );
  });

  test('an empty file is a file', async () => {
    await lake.completeUpload(await prepare(lake, 'raw/empty', []), ours, never);
    expect(await lake.get('raw/empty', never)).toHaveLength(0);
    expect(await lake.get('raw/empty', never, [0, 10])).toHaveLength(0);
    expect(await lake.head('raw/empty', never)).toMatchObject({ bytes: 0 });
  });

  test('completing again changes nothing', async () => {
    const file = await prepare(lake, 'raw/again', [Buffer.from('once')]);
    await lake.completeUpload(file, ours, never);
    await lake.completeUpload(file, ours, never);
    await lake.completeUpload(file, ours, never);
    expect((await lake.get('raw/again', never)).toString()).toBe('once');
  });

  test('another process completes with nothing but the JSON of the prepared file', async () => {
    const body = randomBytes(200_000);
    const file = await prepare(lake, 'raw/other-process', [body]);
    const other = await place.reopen();
    await other.completeUpload(throughJson(file), ours, never);
    expect((await lake.get('raw/other-process', never)).equals(body)).toBe(true);
    await (await place.reopen()).completeUpload(throughJson(file), ours, never);
  });

  test('two processes that complete one upload at once both succeed', async () => {
    const file = await prepare(lake, 'raw/at-once', [randomBytes(100_000)]);
    const others = await Promise.all([place.reopen(), place.reopen(), place.reopen()]);
    await Promise.all(others.map((each) => each.completeUpload(throughJson(file), ours, never)));
    expect(await lake.head('raw/at-once', never)).toMatchObject({ bytes: 100_000 });
  });

  test('a key that somebody else has is never overwritten, not by equal bytes either', async () => {
    const first = await prepare(lake, 'raw/taken', [Buffer.from('same')], { run: 7n, token: 3n });
    const second = await prepare(lake, 'raw/taken', [Buffer.from('same')], { run: 7n, token: 4n });
    const third = await prepare(lake, 'raw/taken', [Buffer.from('other')], { run: 8n, token: 4n });
    await lake.completeUpload(first, { run: 7n, token: 3n }, never);
    await expect(lake.completeUpload(second, { run: 7n, token: 4n }, never)).rejects.toMatchObject({
      code: 'LAKE_KEY_TAKEN',
    });
    await expect(lake.completeUpload(third, { run: 8n, token: 4n }, never)).rejects.toMatchObject({
      code: 'LAKE_KEY_TAKEN',
    });
    expect((await lake.get('raw/taken', never)).toString()).toBe('same');
    await lake.abortUploads('raw/taken', never);
    // Its own upload is gone: somebody else's file with the key is still somebody else's.
    await expect(lake.completeUpload(second, { run: 7n, token: 4n }, never)).rejects.toMatchObject({
      code: 'LAKE_KEY_TAKEN',
    });
    await lake.completeUpload(first, { run: 7n, token: 3n }, never);
  });

  test('an upload that was aborted or expired cannot be completed', async () => {
    const file = await prepare(lake, 'raw/expired', [Buffer.from('x')]);
    await lake.abortUpload(file.key, file.upload, never);
    await lake.abortUpload(file.key, file.upload, never);
    await expect(lake.completeUpload(file, ours, never)).rejects.toMatchObject({ code: 'UPLOAD_EXPIRED' });
    expect(await lake.head('raw/expired', never)).toBeNull();
  });

  test('a deleted file is not taken for completed', async () => {
    const file = await prepare(lake, 'raw/deleted', [Buffer.from('x')]);
    await lake.completeUpload(file, ours, never);
    await lake.delete(['raw/deleted'], never);
    await expect(lake.completeUpload(file, ours, never)).rejects.toMatchObject({ code: 'UPLOAD_EXPIRED' });
  });

  test('abort in the middle leaves nothing, and can be repeated', async () => {
    const upload = await lake.startUpload('raw/abort/it', ours, never);
    await upload.write(randomBytes(200_000));
    await upload.abort();
    await upload.abort();
    await expect(upload.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(await lake.abortUploads('raw/abort/', never)).toBe(0);
  });

  test('uploads of dead processes are aborted by the prefix of their keys, others stay', async () => {
    const dead = ['raw/t/run-1-a', 'raw/t/run-1-b', 'raw/t/run-1-b', 'raw/t/run-1/deep/er'];
    for (const key of dead) await prepare(lake, key, [Buffer.from('x')]);
    const half = await (await place.reopen()).startUpload('raw/t/run-1-c', ours, never);
    await half.write(randomBytes(100_000));
    const kept = await prepare(lake, 'raw/t/run-10', [Buffer.from('kept')]);
    expect(await lake.abortUploads('raw/t/run-1-a.run', never)).toBe(0);
    expect(await lake.abortUploads('raw/t/run-1-', never)).toBe(4);
    expect(await lake.abortUploads('raw/t/run-1/', never)).toBe(1);
    expect(await lake.abortUploads('raw/t/run-1-', never)).toBe(0);
    await lake.completeUpload(kept, ours, never);
    await half.abort();
    expect(await keys(lake, 'raw/t/')).toEqual(['raw/t/run-10']);
  });

  test('uploads of a dead process that somebody goes on with stay; the others of the prefix are aborted, and it is told which are gone', async () => {
    const [first, second] = [
      await prepare(lake, 'raw/k/run-1-a', [Buffer.from('x')]),
      await prepare(lake, 'raw/k/run-1-b', [Buffer.from('y')]),
    ];
    const expired = await prepare(lake, 'raw/k/run-1-c', [Buffer.from('z')]);
    await lake.abortUpload(expired.key, expired.upload, never);
    // Another attempt at a key that is kept.
    await prepare(lake, 'raw/k/run-1-a', [Buffer.from('other')]);
    const other = await prepare(lake, 'raw/k/run-2-a', [Buffer.from('not of this run')]);
    const ids = [first, second, expired].map(({ upload }) => upload.id);
    expect(await lake.keepUploads('raw/k/run-1-', new Set(ids), never)).toEqual(new Set(ids.slice(0, 2)));
    await lake.completeUpload(first, ours, never);
    await lake.completeUpload(second, ours, never);
    await lake.completeUpload(other, ours, never);
    expect((await lake.get(first.key, never)).toString()).toBe('x');
    expect(await lake.abortUploads('raw/k/', never)).toBe(0);
  });

  test('of twenty that put one key at once, one creates it and keeps it', async () => {
    for (let round = 0; round < 5; round++) {
      const key = `staged/t/_delta_log/${String(round).padStart(20, '0')}.json`;
      const lakes = await Promise.all([lake, place.reopen(), place.reopen()]);
      const bodies = Array.from({ length: 20 }, (_, n) => Buffer.from(`body of ${n}`));
      const outcomes = await Promise.all(bodies.map((body, n) => lakes[n % 3].putIfAbsent(key, body, never)));
      expect(outcomes.filter((each) => each === 'created')).toHaveLength(1);
      expect((await lake.get(key, never)).toString()).toBe(`body of ${outcomes.indexOf('created')}`);
      expect(await lake.putIfAbsent(key, Buffer.from('late'), never)).toBe('exists');
    }
    expect(await lake.abortUploads('staged/', never)).toBe(0);
  });

  test('a range gives its bytes, and what there is of a range beyond the end', async () => {
    await lake.putIfAbsent('raw/range', Buffer.from('0123456789'), never);
    const part = async (first: number, afterLast: number) =>
      (await lake.get('raw/range', never, [first, afterLast])).toString();
    expect(await part(0, 10)).toBe('0123456789');
    expect(await part(3, 5)).toBe('34');
    expect(await part(8, 100)).toBe('89');
    expect(await part(4, 4)).toBe('');
    expect(await part(10, 12)).toBe('');
    await expect(lake.get('raw/no-range', never, [0, 1])).rejects.toMatchObject({ code: 'LAKE_NOT_FOUND' });
  });

  test('thousands of keys are listed over pages, once each, in the order of their bytes', async () => {
    const names = Array.from({ length: 2_500 }, (_, n) => `many/${n % 7}/file-${n}`).concat(
      'many.x',
      'many/0.x',
      'many/é',
      'many/z',
    );
    for (let at = 0; at < names.length; at += 50) {
      await Promise.all(names.slice(at, at + 50).map((key) => lake.putIfAbsent(key, Buffer.from(key), never)));
    }
    const inOrder = names
      .map((key) => Buffer.from(key))
      .sort(Buffer.compare)
      .map(String);
    const listed = await keys(lake, 'many');
    expect(listed).toEqual(inOrder);
    expect(await keys(lake, 'many/3/')).toHaveLength(357);
    expect(await keys(lake, 'many/3/file-10')).toEqual(inOrder.filter((key) => key.startsWith('many/3/file-10')));
    await lake.delete([...listed, 'many/not-there'], never);
    expect(await keys(lake, 'many')).toEqual([]);
  });

  test('the listing tells size, time and a tag that changes with the object', async () => {
    const before = Date.now() - 5_000;
    await lake.putIfAbsent('about/it', Buffer.from('12345'), never);
    const [listed] = await entries(lake, 'about/');
    expect(listed).toMatchObject({ key: 'about/it', bytes: 5 });
    expect(listed.modified.getTime()).toBeGreaterThan(before);
    const head = await lake.head('about/it', never);
    expect(head).toMatchObject({ bytes: 5, etag: listed.etag });
    await lake.delete(['about/it'], never);
    await lake.putIfAbsent('about/it', Buffer.from('54321'), never);
    expect((await lake.head('about/it', never))!.etag).not.toBe(listed.etag);
  });

  test('put writes whole and over what is there, also when many do it at once', async () => {
    await lake.put('put/over', Buffer.from('first'), never);
    await lake.put('put/over', Buffer.alloc(0), never);
    expect((await lake.get('put/over', never)).length).toBe(0);
    const bodies = Array.from({ length: 10 }, (_, n) => Buffer.alloc(50_000 + n, n));
    await Promise.all(bodies.map((body) => lake.put('put/over', body, never)));
    const last = await lake.get('put/over', never);
    expect(bodies.some((body) => body.equals(last))).toBe(true);
    expect(await keys(lake, 'put/')).toEqual(['put/over']);
    expect(await lake.putIfAbsent('put/over', Buffer.from('x'), never)).toBe('exists');
    expect(await lake.abortUploads('put/', never)).toBe(0);
  });

  test('a listing begins after a key, whether or not that key is there', async () => {
    const all = Array.from({ length: 250 }, (_, n) => `after/${String(n).padStart(3, '0')}.json`);
    await Promise.all(all.map((key) => lake.putIfAbsent(key, Buffer.from('x'), never)));
    const keysAfter = async (key: string) => {
      const found: string[] = [];
      for await (const each of lake.list('after/', never, key)) found.push(each.key);
      return found;
    };
    expect(await keysAfter('after/099.json')).toEqual(all.slice(100));
    expect(await keysAfter('after/099')).toEqual(all.slice(99));
    expect(await keysAfter('after/249.json')).toEqual([]);
    expect(await keysAfter('a')).toEqual(all);
    expect(await keysAfter('b')).toEqual([]);
  });

  test('an empty prefix lists all, a prefix without files nothing', async () => {
    await lake.putIfAbsent('z/y', Buffer.from('x'), never);
    expect(await keys(lake, '')).toContain('z/y');
    expect(await keys(lake, 'no/such/')).toEqual([]);
    expect(await keys(lake, 'z/y/')).toEqual([]);
  });

  test.each([
    'raw/a b/c+d%20e&f=g',
    'raw/quote\'s "and" <angle> ;,$@!()*~',
    'raw/ünï/日本語/🌊.parquet',
    'raw/load_date=2026-01-01/run:1#x?y=z',
    'raw/dots../..dots/...',
    'raw/back\\slash^`{}[]|',
    ...(anyKey ? ['raw/con\u0001trol', 'raw//double', 'raw/line\nfeed\rreturn'] : []),
  ])('the key %j is written, listed, read and deleted', async (key) => {
    const body = Buffer.from(`body of ${key}`);
    await lake.completeUpload(throughJson(await prepare(lake, key, [body])), ours, never);
    expect((await lake.get(key, never)).equals(body)).toBe(true);
    expect(await keys(lake, key.slice(0, -1))).toEqual([key]);
    await prepare(lake, key, [body]);
    expect(await lake.abortUploads(key, never)).toBe(1);
    await lake.delete([key], never);
    expect(await lake.head(key, never)).toBeNull();
  });

  test('a stop ends every call with its own reason', async () => {
    const reason = new Error('stopped by the user');
    const stopped = AbortSignal.abort(reason);
    const stop = new AbortController();
    const upload = await lake.startUpload('raw/stopped', ours, stop.signal);
    const file = await prepare(lake, 'raw/stopped-2', [Buffer.from('x')]);
    stop.abort(reason);
    await expect(upload.write(randomBytes(200_000))).rejects.toBe(reason);
    await expect(upload.finish()).rejects.toBe(reason);
    await upload.abort();
    await expect(lake.startUpload('raw/stopped', ours, stopped)).rejects.toBe(reason);
    await expect(lake.completeUpload(file, ours, stopped)).rejects.toBe(reason);
    await expect(lake.get('raw/stopped', stopped)).rejects.toBe(reason);
    await expect(entries(lake, 'raw', stopped)).rejects.toBe(reason);
    await expect(lake.putIfAbsent('raw/stopped', Buffer.from('x'), stopped)).rejects.toBe(reason);
    expect(await lake.abortUploads('raw/stopped', never)).toBe(1);
  });

  test('the probes pass, and leave nothing', async () => {
    await probeWritable(lake, never);
    expect(await probePutIfAbsent(lake, never)).toBe('honoured');
    expect(await keys(lake, '_probe')).toEqual([]);
    expect(await lake.abortUploads('', never)).toBe(0);
  });
});
