/** DuckDB's errors as ours. */

import { TidemarkError } from '../model/error.ts';

/**
 * What DuckDB threw, as an error with a code; the first line of its words says what it is, the rest points into the statement. `sql`, a statement of
 * ours, is for the log.
 */
export function duckError(error: unknown, sql?: string): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const first = message.split('\n', 1)[0];
  if (/max_temp_directory_size|No space left on device/.test(message)) {
    return new TidemarkError('SPOOL_FULL', `DuckDB found no room in the spool: ${first}`, {
      hint: 'raise `spool.limit`, or give `spool.path` a larger disk',
      cause: error,
    });
  }
  if (/^Out of Memory Error/.test(message)) {
    return new TidemarkError('MEMORY_FULL', `DuckDB ran out of the memory it may use: ${first}`, {
      hint: 'raise `memory:`',
      cause: error,
    });
  }
  const cause = sql === undefined ? error : new Error(`${message}\nin: ${sql.slice(0, 4_000)}`, { cause: error });
  return new TidemarkError('QUERY_FAILED', first.replace(/^Invalid Error: /, ''), { cause });
}
