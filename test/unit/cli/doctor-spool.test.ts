import { mkdtemp, readdir, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkSpool } from '../../../src/cli/doctor-spool.ts';
import type { Config } from '../../../src/config/config.ts';

const MB = 1024 * 1024;

function check(path: string, limitBytes: number) {
  return checkSpool({ spool: { path, limitBytes } } as Config);
}

async function folder(under = tmpdir()): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(under, 'tidemark-doctor-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

test('a spool that is not there yet is well where it can be made, and is not made', async () => {
  await using base = await folder('/var/tmp');
  expect(await check(join(base.path, 'a/b'), MB)).toMatchObject({ state: 'ok', check: 'spool' });
  expect(await readdir(base.path)).toEqual([]);
});

test('a disk with less room than the limit: a warning, with what mends it', async () => {
  await using base = await folder('/var/tmp');
  expect(await check(base.path, 1e18)).toMatchObject({ state: 'warn', remedy: expect.stringContaining('spool.limit') });
});

test('what the spool holds already counts as room for it', async () => {
  await using base = await folder('/var/tmp');
  await writeFile(join(base.path, 'held'), '');
  await truncate(join(base.path, 'held'), 2e11);
  const { bavail, bsize } = await statfs(base.path);
  expect(await check(base.path, bavail * bsize + 1e11)).toMatchObject({ state: 'ok' });
});

test('a spool in memory: a warning', async ({ skip }) => {
  if ((await statfs('/dev/shm').catch(() => null)) === null) skip('no /dev/shm here');
  await using base = await folder('/dev/shm');
  expect(await check(base.path, MB)).toMatchObject({ state: 'warn', found: expect.stringContaining('memory') });
});

test('a spool that cannot be made fails', async () => {
  await using base = await folder('/var/tmp');
  await writeFile(join(base.path, 'file'), '');
  expect(await check(join(base.path, 'file/spool'), MB)).toMatchObject({
    state: 'fail',
    found: expect.stringContaining('ENOTDIR'),
    remedy: expect.stringContaining('spool.path'),
  });
});
