/** A statement's rows as they come. Invariant: the end is told apart from a failure in the middle. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { DuckDBDataChunk, DuckDBType } from '@duckdb/node-api';
import type { DuckConnection } from '../duckdb/duck.ts';
import { TidemarkError } from '../model/error.ts';

// A chunk's memory is DuckDB's: V8 does not count it, and frees it only when it collects for a reason of its own.
setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');
const COLLECT_EVERY = 16;

export type ResultColumn = { name: string; type: DuckDBType };

/** `from`: the result's view, its columns named c0, c1 …; `again` makes it anew after the transaction is rolled back. */
export type Result = {
  connection: DuckConnection;
  columns: readonly ResultColumn[];
  from: string;
  again(): Promise<void>;
};

/**
 * Runs a query over the result within its transaction; `pass` gets some rows of it at a time, and false ends it. Whether it came to
 * its end. Throws QUERY_FAILED, MEMORY_FULL, SPOOL_FULL, also after rows were passed.
 */
export async function eachChunk(
  result: Result,
  sql: string,
  pass: (chunk: DuckDBDataChunk) => Promise<boolean>,
  signal: AbortSignal,
): Promise<boolean> {
  const ended = await result.connection.use(async (duck) => {
    const stream = await duck.stream(sql);
    for (let chunks = 1; ; chunks++) {
      signal.throwIfAborted();
      const chunk = await stream.fetchChunk();
      if (!chunk || chunk.rowCount === 0) break;
      if (!(await pass(chunk))) return false;
      if (chunks % COLLECT_EVERY === 0) collect();
    }
    // DuckDB's C interface ends a stream that failed like one that is over; only the transaction knows.
    return duck.run('SELECT 1').then(
      () => true,
      () => null,
    );
  }, signal);
  return ended ?? (await failure(result, sql, signal));
}

/** What went wrong can only be found out by doing it again. */
async function failure({ connection, again }: Result, sql: string, signal: AbortSignal): Promise<never> {
  await connection.run('ROLLBACK', signal);
  await again();
  await connection.run(`SELECT count(COLUMNS(*)) FROM (${sql})`, signal);
  throw new TidemarkError(
    'QUERY_FAILED',
    'the statement failed in the middle of its rows, and did not when it was repeated',
  );
}
