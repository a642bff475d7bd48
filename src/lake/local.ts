/** The lake in a folder. Invariant: a file under its key is whole and durable; everything unfinished lies under `_uploads/`. */

import type { BigIntStats } from 'node:fs';
import { link, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { TidemarkError } from '../model/error.ts';
import { createFolders, type Folders, removeFile, removeWithFolders, statOrNull } from './durable.ts';
import type { Lake, LakeObject } from './lake.ts';
import { completeLocal } from './local-complete.ts';
import { mapped, systemCode } from './local-errors.ts';
import { walk } from './local-list.ts';
import { keyOfTemporary, pathOf, temporaryId, temporaryPath, UPLOADS } from './local-names.ts';
import { openNew, startLocalUpload } from './local-upload.ts';

/** The lake in this folder (absolute), which is made by the first write. */
export function openLocalLake(root: string): Lake {
  const folders = createFolders(root);
  const uploads = join(root, UPLOADS);
  return {
    url: `file:${root}`,
    startUpload: (key, owner, signal) => startLocalUpload(root, folders, key, owner, signal),
    async completeUpload(file, _owner, signal) {
      signal.throwIfAborted();
      await mapped('complete', file.key, () => completeLocal(root, folders, file));
    },
    async abortUpload(key, upload, signal) {
      signal.throwIfAborted();
      await mapped('abort', key, () => removeWithFolders(temporaryPath(root, upload.id), uploads));
    },
    abortUploads: (prefix, signal) => mapped('abort', prefix, () => abortAll(root, prefix, signal)),
    async putIfAbsent(key, body, signal) {
      signal.throwIfAborted();
      return mapped('put', key, () => putIfAbsent(root, folders, key, body));
    },
    async put(key, body, signal) {
      signal.throwIfAborted();
      await mapped('put', key, () => place(root, folders, key, body, rename));
    },
    async head(key, signal) {
      signal.throwIfAborted();
      return mapped('head', key, () => headLocal(root, key));
    },
    async get(key, signal, range) {
      signal.throwIfAborted();
      return mapped('get', key, () => read(root, key, signal, range));
    },
    async *list(prefix, signal, startAfter) {
      const after = startAfter === undefined ? undefined : Buffer.from(startAfter);
      for await (const key of walk(root, prefix, signal, UPLOADS)) {
        if (after !== undefined && Buffer.compare(Buffer.from(key), after) <= 0) continue;
        const found = await mapped('list', key, () => headLocal(root, key));
        // Deleted since the folder was read.
        if (found !== null) yield found;
      }
    },
    async delete(keys, signal) {
      for (const key of keys) {
        signal.throwIfAborted();
        await mapped('delete', key, () => removeFile(pathOf(root, key)));
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function abortAll(root: string, prefix: string, signal: AbortSignal): Promise<number> {
  let count = 0;
  for await (const id of walk(root, `${UPLOADS}/${prefix}`, signal)) {
    const key = keyOfTemporary(id);
    // The prefix may end inside a temporary name: it is a prefix of keys.
    if (key === null || !key.startsWith(prefix)) continue;
    await removeWithFolders(temporaryPath(root, id), join(root, UPLOADS));
    count++;
  }
  return count;
}

async function putIfAbsent(root: string, folders: Folders, key: string, body: Buffer): Promise<'created' | 'exists'> {
  try {
    await place(root, folders, key, body, link);
    return 'created';
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return 'exists';
    throw error;
  }
}

/** Writes a temporary file and gives it its name by `name`: link refuses a name that is taken, rename replaces its file. */
async function place(root: string, folders: Folders, key: string, body: Buffer, name: typeof link): Promise<void> {
  const target = pathOf(root, key);
  const temporary = join(root, ...temporaryId(key, null).split('/'));
  try {
    const file = await openNew(temporary, folders, key);
    try {
      await file.writeFile(body);
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

async function headLocal(root: string, key: string): Promise<LakeObject | null> {
  const found = await statOrNull(pathOf(root, key));
  return found?.isFile() ? objectOf(key, found) : null;
}

function objectOf(key: string, found: BigIntStats): LakeObject {
  const etag = `${found.ino.toString(16)}-${found.size.toString(16)}-${found.mtimeNs.toString(16)}`;
  return { key, bytes: Number(found.size), modified: found.mtime, etag };
}

// A read call takes less than 2 GiB; pieces also let an abort through.
const PIECE = 64 * 1024 * 1024;

async function read(root: string, key: string, signal: AbortSignal, range?: [number, number]): Promise<Buffer> {
  try {
    await using file = await open(pathOf(root, key), 'r');
    const { size } = await file.stat();
    const first = range?.[0] ?? 0;
    const body = Buffer.allocUnsafe(Math.max(0, Math.min(size, range?.[1] ?? size) - first));
    for (let at = 0; at < body.length; ) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(body, at, Math.min(PIECE, body.length - at), first + at);
      if (bytesRead === 0) return body.subarray(0, at);
      at += bytesRead;
    }
    return body;
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCode(error) ?? '')) throw error;
    throw new TidemarkError('LAKE_NOT_FOUND', 'no such file in the lake', { cause: error, key });
  }
}
