/** The lake in a folder. Invariant: a file under its key is whole and durable; everything unfinished lies under `_uploads/`. */

import type { BigIntStats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { TidemarkError } from '../model/error.ts';
import { createFolders, removeFile, removeWithFolders, statOrNull } from './durable.ts';
import { checkKnown, fillFile } from './filled-file.ts';
import type { KnownFile, Lake, LakeObject } from './lake.ts';
import { completeLocal } from './local-complete.ts';
import { mapped, systemCode } from './local-errors.ts';
import { walk } from './local-list.ts';
import { keyOfTemporary, pathOf, temporaryPath, UPLOADS } from './local-names.ts';
import { putLocal, putLocalFile, putLocalIfAbsent } from './local-put.ts';
import { startLocalUpload } from './local-upload.ts';

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
    keepUploads: (prefix, ids, signal) => mapped('abort', prefix, () => keepOpen(root, prefix, ids, signal)),
    async putIfAbsent(key, body, signal) {
      signal.throwIfAborted();
      return mapped('put', key, () => putLocalIfAbsent(root, folders, key, body));
    },
    async put(key, body, signal) {
      signal.throwIfAborted();
      await mapped('put', key, () => putLocal(root, folders, key, body));
    },
    async putFile(key, from, signal) {
      signal.throwIfAborted();
      await mapped('put', key, () => putLocalFile(root, folders, key, from));
    },
    localPath: (key) => pathOf(root, key),
    fetchFile: (key, to, signal, known = {}) => mapped('fetch', key, () => fetchLocal(root, key, to, signal, known)),
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
  for await (const id of openUploads(root, prefix, signal)) {
    await removeWithFolders(temporaryPath(root, id), join(root, UPLOADS));
    count++;
  }
  return count;
}

async function keepOpen(root: string, prefix: string, ids: ReadonlySet<string>, signal: AbortSignal) {
  const kept = new Set<string>();
  for await (const id of openUploads(root, prefix, signal)) {
    if (ids.has(id)) kept.add(id);
    else await removeWithFolders(temporaryPath(root, id), join(root, UPLOADS));
  }
  return kept;
}

/** Ids of the uploads begun below the prefix. */
async function* openUploads(root: string, prefix: string, signal: AbortSignal): AsyncIterable<string> {
  for await (const id of walk(root, `${UPLOADS}/${prefix}`, signal)) {
    // The prefix may end inside a temporary name: it is a prefix of keys.
    if (keyOfTemporary(id)?.startsWith(prefix)) yield id;
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

// Few calls, and little memory.
const FETCHED_AT_ONCE = 1024 * 1024;

async function fetchLocal(root: string, key: string, to: string, signal: AbortSignal, known: KnownFile) {
  await using file = await openFile(root, key);
  const found = objectOf(key, await file.stat({ bigint: true }));
  checkKnown(found, known);
  const buffer = Buffer.allocUnsafe(FETCHED_AT_ONCE);
  await fillFile(to, async (local) => {
    for (let at = 0; at < found.bytes; ) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, found.bytes - at), at);
      if (bytesRead === 0) break;
      await local.write([buffer.subarray(0, bytesRead)], at);
      at += bytesRead;
    }
    checkKnown(objectOf(key, await file.stat({ bigint: true })), found);
  });
  return { bytes: found.bytes, etag: found.etag };
}

// A read call takes less than 2 GiB; pieces also let an abort through.
const PIECE = 64 * 1024 * 1024;

async function read(root: string, key: string, signal: AbortSignal, range?: [number, number]): Promise<Buffer> {
  await using file = await openFile(root, key);
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
}

/** Throws LAKE_NOT_FOUND. */
async function openFile(root: string, key: string): Promise<FileHandle> {
  try {
    const file = await open(pathOf(root, key), 'r');
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) throw error;
  }
  throw new TidemarkError('LAKE_NOT_FOUND', 'no such file in the lake', { key });
}
