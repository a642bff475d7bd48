/** Drops as they are listed and read, in a folder and in a bucket. */

import { access, mkdir, mkdtemp, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RetryLimits } from '../../src/lake/settings.ts';
import type { Drop } from '../../src/load/drop.ts';
import type { DropInput, DropSource } from '../../src/load/drop-source.ts';
import { openDropSource } from '../../src/load/open-drop-source.ts';
import type { LoadSettings } from '../../src/load/settings.ts';
import { limitsFor } from '../s3/s3-fixture.ts';
import { type S3ServerOptions, startS3Server } from '../support/s3-server.ts';
import { findVersitygw, startVersitygw, VERSITYGW_KEYS } from '../support/versitygw.ts';

const never = new AbortController().signal;

const settings = (from: string, more: Partial<LoadSettings> = {}) =>
  ({ from, baseDir: '/', s3: {}, ...more }) as LoadSettings;

async function listed(source: DropSource, days: string[] = []): Promise<Drop[]> {
  const drops: Drop[] = [];
  for await (const drop of source.list(days, never)) drops.push(drop);
  return drops;
}

const keys = async (source: DropSource, days: string[] = []) => (await listed(source, days)).map(({ key }) => key);

const keysAfter = async (source: DropSource, start: string | null) => {
  const found: string[] = [];
  for await (const { key } of source.list([], never, async () => start)) found.push(key);
  return found;
};

describe('in a folder', () => {
  async function folder(...names: string[]): Promise<string> {
    const root = await mkdtemp(path.join(os.tmpdir(), 'tidemark-drops-'));
    onTestFinished(() => rm(root, { recursive: true, force: true }));
    for (const name of names) {
      await mkdir(path.dirname(path.join(root, name)), { recursive: true });
      await writeFile(path.join(root, name), `content of ${name}`);
    }
    return root;
  }
  const open = (from: string) => openDropSource(settings(from), '/nowhere');

  test('what sorts after a key, by bytes', async () => {
    const root = await folder('a/1.gz', 'a/2.gz', 'a/ä.gz', 'b.gz');
    const source = await open(`file:${root}/**/*.gz`);
    expect(await keysAfter(source, 'a/1.gz')).toEqual(['a/2.gz', 'a/ä.gz', 'b.gz']);
    expect(await keysAfter(source, 'a/z')).toEqual(['a/ä.gz', 'b.gz']);
    expect(await keysAfter(source, null)).toHaveLength(4);
  });

  test('what matches, in the order of the names; hidden files, folders and dead links are no drops', async () => {
    const root = await folder(
      'b/2.gz',
      'b/10.gz',
      'a.gz',
      'b.gz',
      'b/.x.gz',
      'b/_x.gz',
      '_tmp/y.gz',
      'b/c/d.gz',
      'b/x.txt',
    );
    await mkdir(path.join(root, 'folder.gz'));
    await symlink(path.join(root, 'nowhere'), path.join(root, 'dead.gz'));
    await symlink(path.join(root, 'a.gz'), path.join(root, 'link.gz'));
    expect(await keys(await open(`file:${root}/**/*.gz`))).toEqual([
      'a.gz',
      'b.gz',
      'b/10.gz',
      'b/2.gz',
      'b/c/d.gz',
      'link.gz',
    ]);
    expect(await keys(await open(`file:${root}/*/*.gz`))).toEqual(['b/10.gz', 'b/2.gz']);
    expect(await keys(await open(`file:${root}/b`))).toEqual(['b/10.gz', 'b/2.gz', 'b/c/d.gz', 'b/x.txt']);
    expect(await keys(await open(`file:${root}/b/`))).toEqual(['10.gz', '2.gz', 'c/d.gz', 'x.txt']);
  });

  test('the folders of some days', async () => {
    const root = await folder('2026-11-20/a', '2026-11-21/b', '2026-11-22/c', 'other/d');
    const source = await open(`file:${root}/{yyyy}-{mm}-{dd}/*`);
    expect(await keys(source, ['2026-11-20', '2026-11-21', '2026-11-23'])).toEqual(['2026-11-20/a', '2026-11-21/b']);
  });

  test('a folder that is not there is an error; that of a day is not', async () => {
    await expect(keys(await open('file:/nowhere/at/all/*'))).rejects.toMatchObject({ code: 'LAKE_NOT_FOUND' });
    const root = await folder('x');
    expect(await keys(await open(`file:${root}/{yyyy}/*`), ['2026-11-21'])).toEqual([]);
  });

  test('another size or time is another drop', async () => {
    const root = await folder('a');
    const source = await open(`file:${root}/*`);
    const [first] = await listed(source);
    expect(first).toEqual({ key: 'a', bytes: 12, etag: expect.stringMatching(/^12-\d{16,}$/) });
    expect(await listed(source)).toEqual([first]);
    await utimes(path.join(root, 'a'), 1, 1);
    expect((await listed(source))[0].etag).toBe('12-1000000000');
  });

  test('a drop that is removed or changes while it is read is gone', async () => {
    const root = await folder('a', 'b', 'c');
    const source = await open(`file:${root}/*`);
    const [a, b, c] = await listed(source);
    await rm(path.join(root, 'a'));
    expect(await source.read(a, async () => 'read', never)).toBe('gone');
    const swap = async () => {
      await writeFile(path.join(root, 'new'), 'content of B');
      await rename(path.join(root, 'new'), path.join(root, 'b'));
      return 'read';
    };
    expect(await source.read(b, swap, never)).toBe('gone');
    expect(await source.read(c, async (input) => input, never)).toEqual({ path: path.join(root, 'c') });
  });
});

Object.assign(process.env, VERSITYGW_KEYS);

const textOf = async (input: DropInput) => ('bytes' in input ? Buffer.from(input.bytes).toString() : input.path);
/** Sleeps of retries take no time. */
const sleepless = { tools: { sleep: async () => {} } };

describe('in a bucket', () => {
  async function bucket(objects: Record<string, string>, options: S3ServerOptions = {}) {
    const server = await startS3Server(options);
    onTestFinished(() => server[Symbol.asyncDispose]());
    for (const [key, body] of Object.entries(objects))
      server.bucket.put(key, Buffer.from(body), { metadata: {} }, false);
    const s3 = { endpoint: server.endpoint, region: 'us-east-1', force_path_style: true };
    const open = async (from: string, retry: Partial<RetryLimits> = {}) => {
      const source = await openDropSource(settings(from, { s3 }), os.tmpdir(), { retry, ...sleepless });
      onTestFinished(() => source[Symbol.asyncDispose]());
      return source;
    };
    return { server, open };
  }

  test('what matches, page after page; asked for by what every name begins with', async () => {
    const objects = Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`raw/2026-11-21/${i}.gz`, 'x']));
    const { server, open } = await bucket(
      { ...objects, 'raw/2026-11-21/_SUCCESS': '', 'raw/2026-11-21/': '', 'raw/2026-11-22/x.gz': 'x', 'rax/x.gz': 'x' },
      { behaviour: { pageSize: 10 } },
    );
    const source = await open('s3://lake/raw/{yyyy}-{mm}-{dd}/*');
    expect(new Set(await keys(source, ['2026-11-21']))).toEqual(new Set(Object.keys(objects)));
    expect(server.count('ListObjectsV2')).toBe(3);
    expect(await keys(await open('s3://lake'))).toHaveLength(27);
  });

  test('a GET asks for what was listed; what was removed or written anew is gone', async () => {
    const { server, open } = await bucket({ 'a b/ü+(1).gz': 'first', b: 'second', c: 'third' });
    const source = await open('s3://lake/**');
    const [a, b, c] = await listed(source);
    for (const _ of [1, 2, 3]) expect(await source.read(a, textOf, never)).toBe('first');
    server.bucket.put('b', Buffer.from('other!'), { metadata: {} }, false);
    server.bucket.objects.delete('c');
    expect(await source.read(b, textOf, never)).toBe('gone');
    expect(await source.read(c, textOf, never)).toBe('gone');
    const gets = server.log.filter(({ operation }) => operation === 'GetObject');
    expect(gets.every(({ headers }) => headers['if-match'] !== undefined)).toBe(true);
    // The SDK's own for the first, ours from then on, on connections that are kept.
    expect(gets.filter(({ headers }) => headers['amz-sdk-request'] !== undefined)).toHaveLength(1);
    expect(server.connections()).toBeLessThanOrEqual(3);
  });

  test.each([
    ['503s', { kind: 'answer', status: 503, code: 'SlowDown' } as const],
    ['an internal error', { kind: 'answer', status: 500, code: 'InternalError' } as const],
    ['a lost answer', { kind: 'lose-answer' } as const],
    ['a body that is cut off', { kind: 'truncate' } as const],
    ['a body that stalls', { kind: 'stall' } as const],
    ['no answer', { kind: 'hang', work: false } as const],
    ['a changed byte', { kind: 'corrupt' } as const],
    ["a proxy's page", { kind: 'html', status: 502 } as const],
  ])('%s: tried again', async (_, action) => {
    const { server, open } = await bucket({ a: 'first', b: 'a body of some length' });
    const source = await open('s3://lake/**', limitsFor(action));
    const [a, b] = await listed(source);
    await source.read(a, textOf, never);
    server.fault({ on: 'GetObject', act: action, times: 2 });
    expect(await source.read(b, textOf, never)).toBe('a body of some length');
    expect(server.faultsLeft()).toBe(0);
  });

  test('a GET that is refused is the error of the SDK, with what to grant', async () => {
    const { server, open } = await bucket({ a: 'first', b: 'second' });
    const source = await open('s3://lake/**');
    const [a, b] = await listed(source);
    await source.read(a, textOf, never);
    const action = { kind: 'answer', status: 403, code: 'AccessDenied' } as const;
    server.fault({ on: 'GetObject', act: action, times: 2 });
    await expect(source.read(b, textOf, never)).rejects.toMatchObject({
      code: 'LAKE_DENIED',
      hint: expect.stringContaining('s3:GetObject'),
    });
  });

  test('a large object goes through a file, which is removed', async () => {
    const body = 'x'.repeat(17 * 2 ** 20);
    const { open } = await bucket({ 'a.json': body });
    const source = await open('s3://lake/**');
    const [a] = await listed(source);
    let file = '';
    const read = await source.read(
      a,
      async (input) => {
        file = 'path' in input ? input.path : '';
        return (await readFile(file)).length;
      },
      never,
    );
    expect(read).toBe(body.length);
    expect(file).toMatch(/a\.json$/);
    await expect(access(file)).rejects.toThrow();
  });

  test.skipIf(findVersitygw() === null)('a server that checks signatures takes ours', async () => {
    await using server = await startVersitygw(findVersitygw()!);
    for (const name of ['a', 'b ü+(1)!~']) await writeFile(path.join(server.folder, name), `content of ${name}`);
    const s3 = { endpoint: server.endpoint, region: 'us-east-1', force_path_style: true };
    await using source = await openDropSource(settings('s3://lake/**', { s3 }), os.tmpdir());
    const drops = await listed(source);
    expect(drops.map(({ key }) => key)).toEqual(['a', 'b ü+(1)!~']);
    for (const drop of [...drops, ...drops])
      expect(await source.read(drop, textOf, never)).toBe(`content of ${drop.key}`);
  });
});
