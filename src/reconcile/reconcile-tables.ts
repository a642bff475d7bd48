/** Reconciles several tables, one after another: each may take all the memory there is. Invariant: a failing table does not stop the others. */

import type { Reconciled, ReconcileDeps, ReconcileRequest } from './work.ts';

export type { Reconciled, ReconcileDeps, ReconcileRequest } from './work.ts';

/** One after another; never throws for one table. `onEnd` after each. */
export async function reconcileTables(
  deps: ReconcileDeps,
  request: ReconcileRequest,
  onEnd: (each: Reconciled) => void,
  signal: AbortSignal,
): Promise<Reconciled[]> {
  throw new Error(`to come: ${[deps, request, onEnd, signal].length}`);
}
