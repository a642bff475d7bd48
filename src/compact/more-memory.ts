/** Rows so wide that DuckDB cannot hold a vector of them. Invariant: what the configuration says is never exceeded. */

import { TidemarkError } from '../model/error.ts';

/**
 * Runs `work`, again each time that it ends in MEMORY_FULL and `raise` finds more. DuckDB spills what it can; 2,048 values of a column, a vector, it must
 * hold several times: 60 KB each are too much for the default.
 */
export async function withMoreMemory<T>(work: () => Promise<T>, raise: () => Promise<boolean>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TidemarkError) || error.code !== 'MEMORY_FULL' || !(await raise())) throw error;
    }
  }
}
