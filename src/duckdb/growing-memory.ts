/** Raises DuckDB's memory limit. Invariant: never beyond `most`. */

import type { DuckConnection } from './duck.ts';

const SETTING_MS = 10_000;

/** A function that doubles the limit, `bytes` at first, and returns the new one; null when it may not grow further. */
export function growingMemory(
  connect: () => Promise<readonly DuckConnection[]>,
  { bytes, most }: { bytes: number; most: number },
): () => Promise<number | null> {
  let memory = bytes;
  return async () => {
    if (memory * 2 > most) return null;
    memory *= 2;
    const [connection] = await connect();
    await connection.run(`SET memory_limit = '${Math.floor(memory / 1e6)}MB'`, AbortSignal.timeout(SETTING_MS));
    return memory;
  };
}
