/** Gives whole files their place in a local lake. Invariant: what has a key is whole and durable, and was never half there. */

import { copyFile, type FileHandle, link, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { TidemarkError } from '../model/error.ts';
import { type Folders, removeWithFolders } from './durable.ts';
import { systemCode } from './local-errors.ts';
import { pathOf, temporaryId, UPLOADS } from './local-names.ts';
import { openNew } from './local-upload.ts';

// Another file system, one without hard links, or a file that has too many: copied instead.
const CANNOT_LINK = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'ENOSYS']);

/** See Lake.put. */
export async function putLocal(root: string, folders: Folders, key: string, body: Buffer): Promise<void> {
  await place(root, folders, key, (file) => file.writeFile(body), rename);
}

/** See Lake.putIfAbsent. */
export async function putLocalIfAbsent(
  root: string,
  folders: Folders,
  key: string,
  body: Buffer,
): Promise<'created' | 'exists'> {
  try {
    await place(root, folders, key, (file) => file.writeFile(body), link);
    return 'created';
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return 'exists';
    throw error;
  }
}

/** See Lake.putFile: a second name for the same file where the system has that, else a copy. */
export async function putLocalFile(root: string, folders: Folders, key: string, from: string): Promise<void> {
  try {
    if (await linked(from, pathOf(root, key), folders)) return;
    await place(root, folders, key, (_, temporary) => copyFile(from, temporary), link);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    throw new TidemarkError('LAKE_KEY_TAKEN', 'another file has this name', { cause: error, key });
  }
}

async function linked(from: string, target: string, folders: Folders): Promise<boolean> {
  // Others wrote the bytes, and have not made them durable.
  await syncFile(from);
  await folders.make(target);
  try {
    await link(from, target);
  } catch (error) {
    if (CANNOT_LINK.has(systemCode(error) ?? '')) return false;
    throw error;
  }
  await folders.sync(target);
  return true;
}

async function syncFile(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}

/** Fills a temporary file and gives it its name by `name`: link refuses a name that is taken, rename replaces its file. */
async function place(
  root: string,
  folders: Folders,
  key: string,
  fill: (file: FileHandle, path: string) => Promise<void>,
  name: typeof link,
): Promise<void> {
  const target = pathOf(root, key);
  const temporary = join(root, ...temporaryId(key, null).split('/'));
  try {
    const file = await openNew(temporary, folders, key);
    try {
      await fill(file, temporary);
      await file.sync();
    } finally {
      await file.close();
    }
    await folders.make(target);
    await name(temporary, target);
    await folders.sync(target);
  } finally {
    await removeWithFolders(temporary, join(root, UPLOADS));
  }
}
