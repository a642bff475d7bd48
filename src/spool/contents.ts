/** What lies in a spool. Invariant: a file with several names counts once; what vanishes during the look counts not at all. */

import { lstat, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** A file of the cache that no process has a name for: its place is free to take. */
export type Idle = { path: string; bytes: number; usedMs: number };

export type Contents = {
  /** Bytes that no eviction frees: other processes' files, and copies in use. */
  pinned: number;
  /** The least recently used first. */
  idle: Idle[];
  /** Bytes of outputs and of DuckDB's temporary files of this process. */
  outputs: number;
};

/** The folders below a spool's path, and within a process's own folder. */
export const OWN = 'own';
export const CACHE = 'cache';
export const COPIES = 'in';
export const ARRIVING = 'new';

/** Looks at everything below the spool's path; `own` is this process's folder, whose arriving files are left out. */
export async function look(path: string, own: string): Promise<Contents> {
  const contents: Contents = { pinned: 0, idle: [], outputs: 0 };
  const seen = new Set<string>();
  const arriving = join(own, ARRIVING);
  for (const file of await filesBelow(path, arriving)) {
    if (seen.has(file.id)) continue;
    seen.add(file.id);
    const inCache = file.path.startsWith(join(path, CACHE, '/'));
    if (inCache && file.names === 1) contents.idle.push({ path: file.path, bytes: file.bytes, usedMs: file.usedMs });
    else if (!inCache && file.path.startsWith(join(own, '/')) && !file.path.startsWith(join(own, COPIES, '/')))
      contents.outputs += file.bytes;
    else contents.pinned += file.bytes;
  }
  contents.idle.sort((a, b) => a.usedMs - b.usedMs);
  return contents;
}

/** Bytes below the folder. */
export async function bytesBelow(folder: string): Promise<number> {
  const { pinned, idle } = await look(folder, join(folder, OWN, 'nobody'));
  return pinned + idle.reduce((sum, each) => sum + each.bytes, 0);
}

type Found = { path: string; id: string; bytes: number; names: number; usedMs: number };

async function filesBelow(folder: string, skip: string): Promise<Found[]> {
  if (folder === skip) return [];
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found = await Promise.all(
    entries.map(async (entry): Promise<Found[]> => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesBelow(path, skip);
      const about = await lstat(path).catch(() => null);
      if (about === null || !about.isFile()) return [];
      const id = `${about.dev}-${about.ino}`;
      return [{ path, id, bytes: about.size, names: about.nlink, usedMs: about.mtimeMs }];
    }),
  );
  return found.flat();
}

/** Removes the cache's least recently used files until so many bytes are free; false when they are not. */
export async function evict(contents: Contents, bytes: number): Promise<boolean> {
  let left = bytes;
  while (left > 0 && contents.idle.length > 0) {
    const oldest = contents.idle[0];
    const found = await lstat(oldest.path).catch(() => null);
    // Another process has taken it since the look: removing its name frees nothing.
    if (found !== null && found.nlink > 1) {
      pin(contents, oldest.path);
      continue;
    }
    await unlink(oldest.path).catch(() => {});
    contents.idle.shift();
    left -= oldest.bytes;
  }
  return left <= 0;
}

/** A file of the cache has got a name besides. */
export function pin(contents: Contents, path: string): void {
  const at = contents.idle.findIndex((each) => each.path === path);
  if (at !== -1) contents.pinned += contents.idle.splice(at, 1)[0].bytes;
}
