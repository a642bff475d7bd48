/** File system errors in the user's words. Invariant: the error of the system stays as the cause. */

import { TidemarkError } from '../model/error.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const DENIED = new Set(['EACCES', 'EPERM', 'EROFS']);

/** The system's error code (`ENOENT`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** LAKE_FULL, LAKE_DENIED or LAKE_FAILED; errors that are ours already, and aborts, pass through. */
export function localError(error: unknown, what: string, key: string): unknown {
  const code = systemCode(error);
  if (error instanceof TidemarkError || typeof code !== 'string' || code === 'ABORT_ERR') return error;
  if (FULL.has(code)) {
    const hint = 'free space under the lake, or raise the quota; the next run repeats what failed';
    return new TidemarkError('LAKE_FULL', `the disk under the lake is full (${code} at ${what})`, {
      hint,
      cause: error,
      key,
    });
  }
  if (DENIED.has(code)) {
    const hint = `the user that runs tidemark must be allowed to create, link and remove files in the lake's folder`;
    return new TidemarkError('LAKE_DENIED', `the lake cannot be written (${code} at ${what})`, {
      hint,
      cause: error,
      key,
    });
  }
  const hint =
    code === 'ENOTDIR'
      ? 'something on the way to the lake, or in it, is a file where a folder should be'
      : code === 'ENAMETOOLONG'
        ? 'give the table a shorter folder with `as:`'
        : code === 'ENOTSUP' || code === 'ENOSYS'
          ? 'the lake needs a file system with hard links (ext4, xfs, btrfs, zfs, apfs, NFS …)'
          : undefined;
  return new TidemarkError('LAKE_FAILED', `the lake failed (${code} at ${what})`, { hint, cause: error, key });
}

/** Runs it with its errors mapped. */
export async function mapped<T>(what: string, key: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw localError(error, what, key);
  }
}
