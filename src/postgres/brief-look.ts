/**
 * A short look at a database. Invariant: it reads only, each statement has a limit, the signal ends it at once, and nothing
 * is left set in the session: behind a pooler that is somebody else's next.
 */

import type pg from 'pg';
import { connect, disconnect } from './connect.ts';
import type { ConnectOptions } from './connect-options.ts';
import { poolerMode } from './connect-refusals.ts';

const STATEMENT_MS = 30_000;

/** Runs `work` in one read-only transaction on a connection of its own. Throws what connect and `work` throw, or the signal's reason. */
export async function briefLook<T>(
  options: ConnectOptions,
  work: (client: pg.Client) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const client = await connect(options, signal);
  const stop = () => client.connection.stream.destroy();
  signal.addEventListener('abort', stop);
  try {
    await client.query(`begin transaction read only; set local statement_timeout = ${STATEMENT_MS}`);
    const result = await work(client);
    await client.query('rollback');
    return result;
  } catch (error) {
    signal.throwIfAborted();
    throw poolerMode(error) ?? error;
  } finally {
    signal.removeEventListener('abort', stop);
    await disconnect(client);
  }
}
