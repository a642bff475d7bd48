/** One file on its way into a local lake. Invariant: it has a temporary name until completed, and is linked, never renamed. */

import type { FileHandle } from 'node:fs/promises';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TidemarkError } from '../model/error.ts';
import type { PreparedFile } from '../model/run.ts';
import { type Folders, removeWithFolders } from './durable.ts';
import type { Upload, UploadOwner } from './lake.ts';
import { lastWrite } from './local-complete.ts';
import { localError, systemCode } from './local-errors.ts';
import { pathOf, temporaryId, UPLOADS } from './local-names.ts';

// What may wait in memory: enough for the disk to be busy while the encoder fills the next chunk.
const MOST_QUEUED = 8 * 1024 * 1024;
// The kernel takes at most 1,024 buffers a call.
const MOST_BUFFERS = 512;

/** Opens a new temporary file for the key. */
export async function startLocalUpload(
  root: string,
  folders: Folders,
  key: string,
  owner: UploadOwner,
  signal: AbortSignal,
): Promise<Upload> {
  signal.throwIfAborted();
  pathOf(root, key);
  const id = temporaryId(key, owner);
  const path = join(root, ...id.split('/'));
  const file = await openNew(path, folders, key);
  const queue = writeQueue(file);
  let over = false;
  const check = () => {
    if (over) throw new TidemarkError('INTERNAL', 'this upload is over', { key });
    signal.throwIfAborted();
  };
  return {
    async write(chunk) {
      check();
      try {
        await queue.add(chunk);
      } catch (error) {
        throw localError(error, 'write', key);
      }
    },
    async finish(): Promise<PreparedFile> {
      check();
      try {
        await queue.drain();
        await file.sync();
        await file.close();
        await folders.sync(path);
        signal.throwIfAborted();
        over = true;
        const found = await stat(path, { bigint: true });
        const bytes = Number(found.size);
        return { key, bytes, upload: { id, parts: [{ number: 1, etag: lastWrite(found), bytes }] } };
      } catch (error) {
        throw localError(error, 'finish', key);
      }
    },
    async abort() {
      over = true;
      await queue.drain().catch(() => {});
      await file.close().catch(() => {});
      await removeWithFolders(path, join(root, UPLOADS)).catch(() => {});
    },
  };
}

/** Opens a file that must be new, its folder made; a folder that another upload's end removes meanwhile is made again. */
export async function openNew(path: string, folders: Folders, key: string): Promise<FileHandle> {
  for (let tries = 1; ; tries++) {
    try {
      await folders.make(path);
      return await open(path, 'wx');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT' || tries === 10) throw localError(error, 'open', key);
    }
  }
}

type WriteQueue = { add(chunk: Buffer): Promise<void>; drain(): Promise<void> };

/** Writes chunks in order, all that wait in one system call, while more are added. */
function writeQueue(file: FileHandle): WriteQueue {
  let waiting: Buffer[] = [];
  let queued = 0;
  let failure: { error: unknown } | undefined;
  let pump: Promise<void> | undefined;
  let room = Promise.withResolvers<void>();

  async function run(): Promise<void> {
    try {
      while (waiting.length > 0 && failure === undefined) {
        const batch = waiting.slice(0, MOST_BUFFERS);
        waiting = waiting.slice(MOST_BUFFERS);
        await writeWhole(file, batch);
        queued -= batch.reduce((sum, each) => sum + each.length, 0);
        room.resolve();
        room = Promise.withResolvers();
      }
    } catch (error) {
      failure = { error };
      waiting = [];
      room.resolve();
    }
    pump = undefined;
  }
  const check = () => {
    if (failure !== undefined) throw failure.error;
  };
  return {
    async add(chunk) {
      check();
      waiting.push(chunk);
      queued += chunk.length;
      pump ??= run();
      while (queued > MOST_QUEUED && failure === undefined) await room.promise;
      check();
    },
    async drain() {
      await pump;
      check();
    },
  };
}

async function writeWhole(file: FileHandle, batch: Buffer[]): Promise<void> {
  let rest = batch.filter((each) => each.length > 0);
  while (rest.length > 0) {
    let { bytesWritten } = await file.writev(rest);
    // A nearly full disk takes a part of the bytes and says so; the next call says ENOSPC.
    while (rest.length > 0 && bytesWritten >= rest[0].length) {
      bytesWritten -= rest[0].length;
      rest = rest.slice(1);
    }
    if (bytesWritten > 0) rest = [rest[0].subarray(bytesWritten), ...rest.slice(1)];
  }
}
