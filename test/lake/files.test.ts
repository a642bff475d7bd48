import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lake } from '../../src/lake/lake.ts';
import { BACKENDS, type Place } from './backends.ts';

const never = new AbortController().signal;
const PIECE = 8 * 1024 * 1024;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-files-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let named = 0;
async function fileOf(body: Buffer): Promise<string> {
  const path = join(folder, `from-${named++}`);
  await writeFile(path, body);
  return path;
}

describe.each(BACKENDS)('$name', ({ open }) => {
  if (open === null) return test.skip('not here', () => {});
  let place: Place;
  let lake: Lake;
  beforeAll(async () => {
    place = await open();
    lake = place.lake;
  });
  afterAll(() => place?.[Symbol.asyncDispose]());

  test.each([0, 1, 300_000, PIECE, PIECE + 1, 3 * PIECE, 5 * PIECE + 17])(
    'a local file of %i bytes becomes the lake’s, and comes back',
    async (bytes) => {
      const body = randomBytes(bytes);
      const key = `staged/t/${bytes}.parquet`;
      const from = await fileOf(body);
      await lake.putFile(key, from, never);
      await rm(from);
      expect((await lake.get(key, never)).equals(body)).toBe(true);
      const { etag } = (await lake.head(key, never))!;
      for (const known of [undefined, { bytes }, { etag }, { bytes, etag }]) {
        const to = join(folder, `to-${named++}`);
        expect(await lake.fetchFile(key, to, never, known)).toEqual({ bytes, etag });
        expect((await readFile(to)).equals(body)).toBe(true);
      }
    },
  );

  test('a key that is taken stays as it is', async () => {
    await lake.putFile('staged/t/taken', await fileOf(Buffer.from('first')), never);
    await expect(lake.putFile('staged/t/taken', await fileOf(Buffer.from('second')), never)).rejects.toMatchObject({
      code: 'LAKE_KEY_TAKEN',
    });
    expect((await lake.get('staged/t/taken', never)).toString()).toBe('first');
  });

  test('a file of another disk is copied; its key, when taken, stays as it is', async ({ skip }) => {
    const elsewhere = await mkdtemp('/dev/shm/tidemark-files-').catch(() => null);
    if (elsewhere === null) return skip('no second file system here');
    const from = join(elsewhere, 'from');
    await writeFile(from, 'from elsewhere');
    try {
      await lake.putFile('staged/t/elsewhere', from, never);
      await expect(lake.putFile('staged/t/elsewhere', from, never)).rejects.toMatchObject({ code: 'LAKE_KEY_TAKEN' });
    } finally {
      await rm(elsewhere, { recursive: true });
    }
    expect((await lake.get('staged/t/elsewhere', never)).toString()).toBe('from elsewhere');
    expect(await lake.abortUploads('', never)).toBe(0);
  });

  test('of a file that is missing, or another than is known, nothing stays', async () => {
    const inside = await mkdtemp(join(folder, 'empty-'));
    const to = join(inside, 'to');
    await expect(lake.fetchFile('staged/t/missing', to, never)).rejects.toMatchObject({ code: 'LAKE_NOT_FOUND' });
    await lake.putFile('staged/t/other', await fileOf(Buffer.from('four')), never);
    for (const known of [{ bytes: 5 }, { etag: 'ffff' }, { bytes: 4, etag: 'ffff' }, { bytes: PIECE * 3 }]) {
      await expect(lake.fetchFile('staged/t/other', to, never, known)).rejects.toMatchObject({ code: 'LAKE_CHANGED' });
    }
    const stopped = AbortSignal.abort(new Error('stopped'));
    await expect(lake.fetchFile('staged/t/other', to, stopped)).rejects.toThrow('stopped');
    expect(await readdir(inside)).toEqual([]);
  });

  test('eight files at once, both ways', async () => {
    const bodies = Array.from({ length: 8 }, () => randomBytes(2 * PIECE + 5));
    const keys = bodies.map((_, n) => `staged/many/${n}`);
    await Promise.all(bodies.map(async (body, n) => lake.putFile(keys[n], await fileOf(body), never)));
    const back = await Promise.all(
      keys.map(async (key, n) => {
        const to = join(folder, `many-${n}`);
        await lake.fetchFile(key, to, never);
        return (await readFile(to)).equals(bodies[n]);
      }),
    );
    expect(back).toEqual(bodies.map(() => true));
  });
});
