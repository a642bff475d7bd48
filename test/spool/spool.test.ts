import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalFile, Spool } from '../../src/spool/spool.ts';
import { BACKENDS, type Place } from '../lake/backends.ts';
import { never } from '../s3/s3-fixture.ts';
import { filesBelow, KB, log, putRandom, spoolScene } from './scene.ts';

describe.each(BACKENDS)('over $name', ({ open }) => {
  if (open === null) return test.skip('not here', () => {});
  let place: Place;
  let path: string;
  beforeAll(async () => {
    place = await open();
    path = await mkdtemp(join(tmpdir(), 'tidemark-spool-'));
  });
  afterAll(async () => {
    await place?.[Symbol.asyncDispose]();
    await rm(path, { recursive: true, force: true });
  });
  const opened = () => Spool.open({ path, limitBytes: 100_000 * KB }, place.lake, log);

  test('a file of the lake is read at a local path', async () => {
    await using spool = await opened();
    const body = await putRandom(place.lake, 'raw/t/a', 300 * KB);
    await using file = await spool.read('raw/t/a', { bytes: body.length }, never);
    expect((await readFile(file.path)).equals(body)).toBe(true);
  });

  test('an output becomes the lake’s and leaves the spool; read again it is the same', async () => {
    await using spool = await opened();
    const output = spool.path('one.parquet');
    await writeFile(output, 'an output');
    await spool.land(output, 'staged/t/one', never);
    expect((await place.lake.get('staged/t/one', never)).toString()).toBe('an output');
    await expect(stat(output)).rejects.toThrow('ENOENT');
    await using file = await spool.read('staged/t/one', { bytes: 9 }, never);
    expect(await readFile(file.path, 'utf8')).toBe('an output');
    // A name may be used again, and what was landed under it stays as it is.
    await writeFile(output, 'another');
    await spool.land(output, 'staged/t/two', never);
    expect((await place.lake.get('staged/t/one', never)).toString()).toBe('an output');
  });

  test('a file that is missing or has another size is an error', async () => {
    await using spool = await opened();
    await expect(spool.read('raw/t/none', { bytes: 1 }, never)).rejects.toMatchObject({ code: 'LAKE_NOT_FOUND' });
    await putRandom(place.lake, 'raw/t/other', 10);
    await expect(spool.read('raw/t/other', { bytes: 11 }, never)).rejects.toMatchObject({ code: 'LAKE_CHANGED' });
    expect(await filesBelow(spool.folder)).toEqual([]);
  });

  test('two processes that read one file at once both have it', async () => {
    await using one = await opened();
    await using two = await opened();
    const body = await putRandom(place.lake, 'raw/t/both', 200 * KB);
    const files = await Promise.all(
      [one, two, one, two].map((each) => each.read('raw/t/both', { bytes: body.length }, never)),
    );
    for (const file of files) expect((await readFile(file.path)).equals(body)).toBe(true);
    await files[0][Symbol.asyncDispose]();
    expect((await readFile(files[2].path)).equals(body)).toBe(true);
  });

  test('disposed, a spool leaves nothing but the cache', async () => {
    const spool = await opened();
    await writeFile(spool.path('forgotten'), 'x');
    const body = await putRandom(place.lake, 'raw/t/forgotten', 10 * KB);
    await spool.read('raw/t/forgotten', { bytes: body.length }, never);
    await spool[Symbol.asyncDispose]();
    expect(await readdir(join(path, 'own'))).toEqual([]);
    expect((await place.lake.get('raw/t/forgotten', never)).equals(body)).toBe(true);
  });
});

describe('the cache', () => {
  test('a file is fetched once, for every process; what was landed, never', async () => {
    await using scene = await spoolScene();
    const body = await scene.put('raw/a', 100 * KB);
    await using one = await scene.open();
    await scene.touch(one, 'raw/a', body.length);
    await using two = await scene.open();
    expect((await scene.touch(two, 'raw/a', body.length)).equals(body)).toBe(true);
    expect(scene.fetches()).toBe(1);
    await writeFile(one.path('out'), body);
    await one.land(one.path('out'), 'staged/b', never);
    expect((await scene.touch(two, 'staged/b', body.length)).equals(body)).toBe(true);
    expect(scene.fetches()).toBe(1);
    await writeFile(one.path('out'), body);
    await one.land(one.path('out'), 'staged/c', never, { keep: false });
    await scene.touch(two, 'staged/c', body.length);
    expect(scene.fetches()).toBe(2);
  });

  test('another etag, or another size, is another file', async () => {
    await using scene = await spoolScene();
    await using spool = await scene.open();
    const old = await scene.put('raw/a', 1000);
    const { etag } = (await scene.s3.lake.head('raw/a', never))!;
    const read = async (known: { bytes: number; etag?: string }) => {
      await using file = await spool.read('raw/a', known, never);
      return readFile(file.path);
    };
    expect(await read({ bytes: 1000, etag })).toEqual(old);
    const anew = await scene.put('raw/a', 1000);
    const changed = (await scene.s3.lake.head('raw/a', never))!.etag;
    expect(await read({ bytes: 1000, etag: changed })).toEqual(anew);
    expect(await read({ bytes: 1000, etag })).toEqual(old);
    const longer = await scene.put('raw/a', 1001);
    expect(await read({ bytes: 1001 })).toEqual(longer);
  });

  test('a cached file that was cut is fetched again', async () => {
    await using scene = await spoolScene();
    await using spool = await scene.open();
    const body = await scene.put('raw/a', 5000);
    await scene.touch(spool, 'raw/a', 5000);
    const [cached] = await filesBelow(join(scene.path, 'cache'));
    await truncate(cached.path, 4999);
    expect((await scene.touch(spool, 'raw/a', 5000)).equals(body)).toBe(true);
    expect((await scene.touch(spool, 'raw/a', 5000)).equals(body)).toBe(true);
    expect(scene.fetches()).toBe(2);
  });

  test('one of another start of the machine is not trusted', async () => {
    await using scene = await spoolScene();
    await using spool = await scene.open();
    await scene.put('raw/a', 5000);
    await scene.touch(spool, 'raw/a', 5000);
    const { rename } = await import('node:fs/promises');
    const [boot] = await readdir(join(scene.path, 'cache'));
    await rename(join(scene.path, 'cache', boot), join(scene.path, 'cache', 'before'));
    await using next = await scene.open();
    expect(await scene.cached()).toEqual([]);
    await scene.touch(next, 'raw/a', 5000);
    expect(scene.fetches()).toBe(2);
  });
});

describe('the limit', () => {
  test('the least recently used file makes room; one in use never does', async () => {
    await using scene = await spoolScene();
    await using spool = await scene.open(1000 * KB);
    const sizes: Record<string, number> = { a: 301 * KB, b: 302 * KB, c: 303 * KB, d: 304 * KB, e: 305 * KB };
    for (const [key, bytes] of Object.entries(sizes)) await scene.put(key, bytes);
    for (const key of ['a', 'b', 'c', 'a']) {
      await scene.touch(spool, key, sizes[key]);
      // Times of files are as fine as the kernel's clock.
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    await scene.touch(spool, 'd', sizes.d);
    expect(await scene.cached()).toEqual([sizes.a, sizes.c, sizes.d]);
    await using other = await scene.open(1000 * KB);
    await using held = await other.read('c', { bytes: sizes.c }, never);
    await scene.touch(spool, 'e', sizes.e);
    await scene.touch(spool, 'b', sizes.b);
    expect(await scene.cached()).toEqual([sizes.b, sizes.c, sizes.e]);
    expect((await stat(held.path)).size).toBe(sizes.c);
  });

  test('a file that does not fit is SPOOL_FULL, with the bytes; given back, there is room', async () => {
    await using scene = await spoolScene();
    await using spool = await scene.open(1000 * KB);
    await scene.put('a', 600 * KB);
    await scene.put('b', 500 * KB);
    await scene.put('huge', 1001 * KB);
    await expect(spool.read('huge', { bytes: 1001 * KB }, never)).rejects.toMatchObject({
      code: 'SPOOL_FULL',
      message: expect.stringMatching(/1001000 bytes.* 1000000 .*1000000/),
      hint: expect.stringContaining('spool.limit'),
    });
    expect(scene.fetches()).toBe(0);
    const held = await spool.read('a', { bytes: 600 * KB }, never);
    expect(await spool.available()).toBe(400 * KB);
    await expect(spool.read('b', { bytes: 500 * KB }, never)).rejects.toMatchObject({ code: 'SPOOL_FULL' });
    await held[Symbol.asyncDispose]();
    expect(await spool.available()).toBe(1000 * KB);
    await scene.touch(spool, 'b', 500 * KB);
    expect(await scene.cached()).toEqual([500 * KB]);
  });

  test('what is reserved is used up by outputs, and counts for nobody else', async () => {
    await using scene = await spoolScene();
    await using spool = await scene.open(1000 * KB);
    const room = await spool.reserve(600 * KB);
    expect(await spool.available()).toBe(400 * KB);
    await writeFile(spool.path('out'), Buffer.alloc(500 * KB));
    expect(await spool.available()).toBe(400 * KB);
    await writeFile(spool.path('more'), Buffer.alloc(300 * KB));
    expect(await spool.available()).toBe(200 * KB);
    await expect(spool.reserve(401 * KB)).rejects.toMatchObject({ code: 'SPOOL_FULL' });
    room[Symbol.dispose]();
    room[Symbol.dispose]();
    expect(await spool.available()).toBe(200 * KB);
    // Another process sees what lies there.
    await using other = await scene.open(1000 * KB);
    expect(await other.available()).toBe(200 * KB);
    using _ = await other.reserve(200 * KB);
  });

  test('many reads at once never take more than there is; what fails has taken nothing', async () => {
    await using scene = await spoolScene();
    await using spool = await scene.open(1000 * KB);
    for (let n = 0; n < 20; n++) await scene.put(`f${n}`, 150 * KB);
    const reads = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => spool.read(`f${n}`, { bytes: 150 * KB }, never)),
    );
    expect(reads.filter((each) => each.status === 'fulfilled')).toHaveLength(6);
    expect(await spool.available()).toBe(100 * KB);
  });

  test('whatever is read, kept, landed and given back: the bytes are right, and the disk stays within the limit', async () => {
    const step = fc.record({ who: fc.nat(1), key: fc.nat(7), act: fc.constantFrom('read', 'hold', 'release', 'land') });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        await using scene = await spoolScene();
        const bodies = await Promise.all(Array.from({ length: 8 }, (_, n) => scene.put(`k${n}`, (60 + n) * KB)));
        const limit = 300 * KB;
        const spools = [await scene.open(limit), await scene.open(limit)];
        const held: { file: LocalFile; body: Buffer }[] = [];
        let landed = 0;
        for (const { who, key, act } of steps) {
          const spool = spools[who];
          try {
            if (act === 'read') expect(await scene.touch(spool, `k${key}`, bodies[key].length)).toEqual(bodies[key]);
            if (act === 'hold') {
              const file = await spool.read(`k${key}`, { bytes: bodies[key].length }, never);
              held.push({ file, body: bodies[key] });
            }
            if (act === 'land') {
              using _ = await spool.reserve(bodies[key].length);
              await writeFile(spool.path('out'), bodies[key]);
              await spool.land(spool.path('out'), `l${landed++}`, never);
            }
          } catch (error) {
            expect(error).toMatchObject({ code: 'SPOOL_FULL' });
          }
          if (act === 'release') await held.shift()?.file[Symbol.asyncDispose]();
          for (const { file, body } of held) expect((await readFile(file.path)).equals(body)).toBe(true);
          const files = new Map((await filesBelow(scene.path)).map((each) => [each.id, each.bytes]));
          // A process may not have seen yet what the other took a moment ago.
          expect([...files.values()].reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(2 * limit);
        }
      }),
      { numRuns: 20 },
    );
  });
});

test('an abort ends a fetch, and a wait for others to be fetched; what it took is free again', async () => {
  await using scene = await spoolScene();
  await using spool = await scene.open(100_000 * KB);
  for (let n = 0; n < 12; n++) await scene.put(`f${n}`, 150 * KB);
  scene.s3.server.fault({ on: 'GetObject', times: 12, act: { kind: 'hang', work: false } });
  const stop = new AbortController();
  const reads = Array.from({ length: 12 }, (_, n) => spool.read(`f${n}`, { bytes: 150 * KB }, stop.signal));
  setTimeout(() => stop.abort(new Error('stopped')), 100);
  const ends = await Promise.allSettled(reads);
  expect(ends.map((each) => each.status === 'rejected' && each.reason.message)).toEqual(Array(12).fill('stopped'));
  expect(await spool.available()).toBe(100_000 * KB);
  expect(await filesBelow(spool.folder)).toEqual([]);
});
