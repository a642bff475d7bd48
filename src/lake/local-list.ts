/** Walks a local lake's folders. Invariant: keys come in the order of their bytes, as from S3, and temporary files never do. */

import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from './local-errors.ts';

/** Paths below `root` (with `/`) of the files whose path begins with the prefix; `skip` is a folder of the root to leave out. */
export async function* walk(root: string, prefix: string, signal: AbortSignal, skip?: string): AsyncIterable<string> {
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  if (folder.split('/').some((part, at, all) => part === '..' || part === '.' || (part === '' && at < all.length - 1)))
    return;
  yield* walkFolder(root, folder, prefix, signal, skip);
}

async function* walkFolder(
  root: string,
  folder: string,
  prefix: string,
  signal: AbortSignal,
  skip?: string,
): AsyncIterable<string> {
  signal.throwIfAborted();
  for (const entry of await entriesOf(join(root, folder))) {
    const path = folder + entry.name;
    if (path === skip) continue;
    if (entry.isDirectory()) {
      if (`${path}/`.startsWith(prefix) || prefix.startsWith(`${path}/`))
        yield* walkFolder(root, `${path}/`, prefix, signal, skip);
    } else if (path.startsWith(prefix) && (entry.isFile() || entry.isSymbolicLink())) {
      yield path;
    }
  }
}

/** The folder's entries in the order of the keys below them: `a/x` comes after `a.b`. Empty when there is no folder. */
async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const sortKey = new Map(
      entries.map((each) => [each, Buffer.from(each.isDirectory() ? `${each.name}/` : each.name)]),
    );
    return entries.sort((a, b) => Buffer.compare(sortKey.get(a)!, sortKey.get(b)!));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return [];
    throw error;
  }
}
