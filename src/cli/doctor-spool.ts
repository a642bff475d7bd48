/** doctor's look at the spool. Invariant: what it tries there is gone afterwards, the folder itself too. */

import { link, mkdtemp, rm, stat, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../config/config.ts';
import { formatBytes } from '../model/format.ts';
import { bytesBelow } from '../spool/contents.ts';
import { type Check, failed } from './doctor-check.ts';

// statfs's number of a file system that lies in memory.
const TMPFS = 0x01021994;

export async function checkSpool({ spool: { path: folder, limitBytes } }: Config): Promise<Check> {
  const is = (state: Check['state'], found: string, remedy?: string): Check => {
    return { group: 'machine', check: 'spool', state, found: `${folder}: ${found}`, remedy };
  };
  try {
    let there = folder;
    while ((await stat(there).catch(() => null)) === null) there = path.dirname(there);
    const links = await tryThere(there);
    const { bavail, bsize, type } = await statfs(there);
    const room = bavail * bsize + (there === folder ? await bytesBelow(folder) : 0);
    const free = `room for ${formatBytes(room)}`;
    if (room < limitBytes) {
      const remedy = 'free space, lower spool.limit, or set spool.path';
      return is('warn', `${free}, less than ${formatBytes(limitBytes)}`, remedy);
    }
    if (type === TMPFS) {
      return is('warn', `${free}, which is memory (tmpfs)`, 'spool.path: a folder on a disk, or a lower spool.limit');
    }
    if (!links) {
      return is('warn', `${free}, no hard links: files of S3 are fetched anew each time`, 'set spool.path elsewhere');
    }
    return is('ok', free);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const remedy = 'spool.path: a folder that the user who runs tidemark may write';
    return { ...failed('machine', 'spool', error), found: `${folder} cannot be written (${code})`, remedy };
  }
}

/** Makes a file there; whether it can have a second name. */
async function tryThere(folder: string): Promise<boolean> {
  const inside = await mkdtemp(path.join(folder, '.tidemark-probe-'));
  try {
    await writeFile(path.join(inside, 'one'), 'probe');
    return await link(path.join(inside, 'one'), path.join(inside, 'two')).then(
      () => true,
      () => false,
    );
  } finally {
    await rm(inside, { recursive: true, force: true });
  }
}
