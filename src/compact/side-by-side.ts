/** Statements side by side. Invariant: one statement at a time on each connection, and none is left running when another fails. */

import type { DuckConnection } from '../duckdb/duck.ts';

/** Results in the order of `items`. The first failure interrupts the others and is thrown. */
export async function sideBySide<Item, Result>(
  connections: readonly DuckConnection[],
  items: readonly Item[],
  work: (item: Item, connection: DuckConnection, signal: AbortSignal) => Promise<Result>,
  signal: AbortSignal,
): Promise<Result[]> {
  const results: Result[] = new Array(items.length);
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  let next = 0;
  const worker = async (connection: DuckConnection) => {
    while (next < items.length) {
      const i = next++;
      results[i] = await work(items[i], connection, both);
    }
  };
  await Promise.all(
    connections.map((connection) => worker(connection).catch((error) => failed.abort(failed.signal.reason ?? error))),
  );
  if (failed.signal.aborted) throw failed.signal.reason;
  signal.throwIfAborted();
  return results;
}
