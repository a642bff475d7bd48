/** Durable folders. Invariant: what sync() has named survives a power cut, its folders up to the lake's root included. */

import type { BigIntStats } from 'node:fs';
import { mkdir, open, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from './local-errors.ts';

export type Folders = {
  /** Makes the file's folder. */
  make(path: string): Promise<void>;
  /** Resolves once the names of the file and of every folder above it are durable. */
  sync(path: string): Promise<void>;
};

export function createFolders(root: string): Folders {
  return {
    async make(path) {
      await makeFolder(dirname(path));
    },
    async sync(path) {
      // Upwards past the root: a lake that was made just now is a name in its parent. Every time, because another process
      // may have made a folder and died before it synced it; a folder without changes costs microseconds.
      for (let folder = dirname(path); ; folder = dirname(folder)) {
        await syncFolder(folder);
        if (folder.length < root.length || folder === dirname(folder)) return;
      }
    },
  };
}

// Not mkdir's `recursive`: Node 24 goes round for ever where nothing can be made (/proc), and says ENOENT of a read-only disk.
async function makeFolder(folder: string, tries = 3): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || tries === 0 || folder === dirname(folder)) throw error;
    await makeFolder(dirname(folder));
    // Again from above: a process that clears up may have taken the empty parent away.
    await makeFolder(folder, tries - 1);
  }
}

async function syncFolder(folder: string): Promise<void> {
  try {
    await using handle = await open(folder, 'r');
    await handle.sync();
  } catch (error) {
    // Some network file systems know no fsync of folders, and the root's parent may be none of ours to read.
    if (!['EINVAL', 'ENOTSUP', 'ENOSYS', 'EACCES', 'EPERM'].includes(systemCode(error) ?? '')) throw error;
  }
}

/** Null when there is no such file. */
export async function statOrNull(path: string): Promise<BigIntStats | null> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return null;
    throw error;
  }
}

/** Removes the file; missing is fine. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

/** Removes the file, then the folders that it leaves empty, up to but without `keep`. Missing is fine. */
export async function removeWithFolders(path: string, keep: string): Promise<void> {
  await removeFile(path);
  for (let folder = dirname(path); folder.length > keep.length; folder = dirname(folder)) {
    try {
      await rmdir(folder);
    } catch {
      return;
    }
  }
}
