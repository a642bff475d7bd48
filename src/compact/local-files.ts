/** Files of the lake on the local disk, several at once: from S3 each costs a round trip. */

import type { Spool } from '../spool/spool.ts';

/**
 * Local paths of the files, in their order; given back with the stack. The first failure ends the others and is thrown:
 * LAKE_NOT_FOUND, LAKE_CHANGED, SPOOL_FULL, and what the lake throws.
 */
export async function localFiles(
  spool: Spool,
  files: readonly { key: string; bytes: number }[],
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<string[]> {
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  const read = async ({ key, bytes }: { key: string; bytes: number }) => {
    try {
      return stack.use(await spool.read(key, { bytes }, both)).path;
    } catch (error) {
      failed.abort(failed.signal.reason ?? error);
      return '';
    }
  };
  // All of them: one that came after the stack is gone would stay in the spool.
  const paths = await Promise.all(files.map(read));
  signal.throwIfAborted();
  failed.signal.throwIfAborted();
  return paths;
}
