/** Folders that a lake makes for its files. */

import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFolders } from '../../src/lake/durable.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tidemark-folders-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

test('every folder on the way is made, also by several at once, and again', async () => {
  const file = join(root, 'a/b/c/d/file');
  await Promise.all(Array.from({ length: 8 }, () => createFolders(root).make(file)));
  await createFolders(root).make(file);
  expect((await stat(join(root, 'a/b/c/d'))).isDirectory()).toBe(true);
});

test('a file on the way is an error', async () => {
  await writeFile(join(root, 'plain'), '');
  await expect(createFolders(root).make(join(root, 'plain/a/b'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

test.runIf(process.platform === 'linux')(
  'where nothing can be made it says so, rather than trying for ever',
  async () => {
    await expect(createFolders('/proc').make('/proc/lake/raw/t/file')).rejects.toMatchObject({ code: 'ENOENT' });
  },
);
