/** A local file made of a lake's bytes. Invariant: it has its name once it is whole; a file that failed leaves nothing. */

import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { TidemarkError } from '../model/error.ts';
import { removeFile } from './durable.ts';
import type { KnownFile } from './lake.ts';
import { systemCode } from './local-errors.ts';

export type FilledFile = {
  /** Its size at once, so that whoever looks at the disk sees what is coming. */
  announce(bytes: number): Promise<void>;
  /** Writes the chunks one behind the other from byte `at` on; several may write at once. */
  write(chunks: Uint8Array[], at: number): Promise<void>;
};

/**
 * Makes the file `to`, whose folder exists, of what `fill` writes. Throws SPOOL_FULL when the disk has no room,
 * SPOOL_FAILED when it cannot be written, and what `fill` throws.
 */
export async function fillFile<T>(to: string, fill: (file: FilledFile) => Promise<T>): Promise<T> {
  const temporary = `${to}.${randomBytes(6).toString('hex')}.tmp`;
  const handle = await onDisk(to, () => open(temporary, 'wx', 0o600));
  try {
    const result = await fill({
      announce: (bytes) => onDisk(to, () => handle.truncate(bytes)),
      write: (chunks, at) => onDisk(to, () => writeAll(handle, chunks, at)),
    });
    await onDisk(to, () => handle.close());
    await onDisk(to, () => rename(temporary, to));
    return result;
  } catch (error) {
    await handle.close().catch(() => {});
    await removeFile(temporary).catch(() => {});
    throw error;
  }
}

/** Throws LAKE_CHANGED when the lake's file is another one than is known of it. */
export function checkKnown(found: { key: string; bytes: number; etag: string }, known: KnownFile): void {
  const { key, bytes, etag } = found;
  const otherSize = known.bytes !== undefined && known.bytes !== bytes;
  if (!otherSize && (known.etag === undefined || known.etag === etag)) return;
  const what = otherSize ? `it has ${bytes} bytes, and had ${known.bytes}` : 'it has other bytes';
  throw new TidemarkError('LAKE_CHANGED', `a file of the lake was changed: ${what}`, { key });
}

/** Runs it with the errors of the local disk in the user's words: SPOOL_FULL, SPOOL_FAILED. */
export async function onDisk<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw diskError(error, path);
  }
}

function diskError(error: unknown, path: string): unknown {
  const code = systemCode(error);
  if (error instanceof TidemarkError || typeof code !== 'string' || code === 'ABORT_ERR') return error;
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)) {
    const hint = 'free space there, lower `spool.limit`, or give `spool.path` a larger disk';
    return new TidemarkError('SPOOL_FULL', `the disk under ${path} is full (${code})`, { hint, cause: error });
  }
  const hint = 'the user that runs tidemark must be allowed to make, link and remove files below `spool.path`';
  return new TidemarkError('SPOOL_FAILED', `${path} cannot be used (${code})`, { hint, cause: error });
}

async function writeAll(handle: FileHandle, chunks: Uint8Array[], at: number): Promise<void> {
  for (let rest = chunks; rest.length > 0; ) {
    const { bytesWritten } = await handle.writev(rest, at);
    at += bytesWritten;
    rest = behind(rest, bytesWritten);
  }
}

/** What a write of so many bytes has left: a nearly full disk takes a part, and says so at the next call. */
function behind(chunks: Uint8Array[], bytes: number): Uint8Array[] {
  let at = 0;
  while (at < chunks.length && bytes >= chunks[at].length) bytes -= chunks[at++].length;
  return at === chunks.length ? [] : [chunks[at].subarray(bytes), ...chunks.slice(at + 1)];
}
