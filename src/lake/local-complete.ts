/** Makes a local upload visible. Invariant: a link, which the system refuses when the name is taken; no file is overwritten. */

import type { BigIntStats } from 'node:fs';
import { link } from 'node:fs/promises';
import { join } from 'node:path';
import { TidemarkError } from '../model/error.ts';
import type { PreparedFile } from '../model/run.ts';
import { type Folders, removeWithFolders, statOrNull } from './durable.ts';
import { systemCode } from './local-errors.ts';
import { pathOf, temporaryPath, UPLOADS } from './local-names.ts';

/** The nanosecond of the last write: what tells an upload's file from another attempt's, and the same for every link to it. */
export function lastWrite(found: BigIntStats): string {
  return String(found.mtimeNs);
}

/** Links the temporary file to its key and removes the temporary name, durably; see Lake.completeUpload. */
export async function completeLocal(root: string, folders: Folders, file: PreparedFile): Promise<void> {
  const temporary = temporaryPath(root, file.upload.id);
  const target = pathOf(root, file.key);
  const before = await statOrNull(temporary);
  if (before !== null) {
    // Only a file system that lost what it had synced cuts it short; a short file must not become visible.
    if (before.size !== BigInt(file.bytes)) throw expired(file, 'its temporary file has another size');
    await folders.make(target);
    await linkUnlessTaken(temporary, target);
  }
  const found = await statOrNull(target);
  if (found === null) throw expired(file, 'its temporary file is gone');
  if (!isPrepared(found, before, file)) {
    throw new TidemarkError('LAKE_KEY_TAKEN', 'another file has this name', { key: file.key });
  }
  await folders.sync(target);
  await removeWithFolders(temporary, join(root, UPLOADS));
}

async function linkUnlessTaken(temporary: string, target: string): Promise<void> {
  try {
    await link(temporary, target);
  } catch (error) {
    // ENOENT: another process completed or aborted it since the look above; what is there now decides.
    if (!['EEXIST', 'ENOENT'].includes(systemCode(error) ?? '')) throw error;
  }
}

/**
 * Whether the key's file is the prepared one. With the temporary name still there: the same inode. Without it (a process
 * died after the link): the same size and nanosecond of the last write; not the inode, which file systems give anew to
 * the next attempt's file, and which differs after a restore.
 */
function isPrepared(found: BigIntStats, temporary: BigIntStats | null, file: PreparedFile): boolean {
  if (temporary !== null) return found.ino === temporary.ino && found.dev === temporary.dev;
  return found.size === BigInt(file.bytes) && lastWrite(found) === file.upload.parts[0]?.etag;
}

function expired(file: PreparedFile, why: string): TidemarkError {
  const hint = 'the run is planned again by the next export';
  return new TidemarkError('UPLOAD_EXPIRED', `an upload cannot be completed: ${why}`, { hint, key: file.key });
}
