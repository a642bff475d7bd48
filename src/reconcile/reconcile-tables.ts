/** Reconciles several tables, one after another: each may take all the memory there is. Invariant: a failing table does not stop the others. */

import { stoppedBy } from '../export/export-table.ts';
import type { PlannedRun } from '../export/raw-writer.ts';
import { discardFailed } from '../export/recover.ts';
import type { ExportDeps } from '../export/work.ts';
import { type TidemarkError, toTidemarkError } from '../model/error.ts';
import { displayName, type TableSettings } from '../model/table.ts';
import { sourceError } from '../postgres/source-error.ts';
import type { Acquired, Lease } from '../state/leases.ts';
import { underLease } from '../state/under-lease.ts';
import { notExported, type Outcome, reconcileTable, skipped } from './reconcile-table.ts';
import type { ReconcileDeps, Reconciled, ReconcileRequest } from './work.ts';

/**
 * Results in the order of the tables; `onEnd` after each. Never throws for one table; once `signal` is aborted the rest is left out.
 * Where a table was done, the state store notes when.
 */
export async function reconcileTables(
  deps: ReconcileDeps,
  request: ReconcileRequest,
  onEnd: (each: Reconciled) => void,
  signal: AbortSignal,
): Promise<Reconciled[]> {
  const results: Reconciled[] = [];
  for (const settings of request.tables) {
    if (signal.aborted) break;
    const result = await reconcileOne(deps, request, settings, signal);
    if (result === null) break;
    results.push(result);
    onEnd(result);
  }
  return results;
}

/** Null: everything is being stopped. */
async function reconcileOne(
  deps: ReconcileDeps,
  request: ReconcileRequest,
  settings: TableSettings,
  signal: AbortSignal,
): Promise<Reconciled | null> {
  const began = deps.export.now();
  const ended = (outcome: Outcome, more: Partial<Reconciled> = {}): Reconciled => ({
    table: settings.name,
    ...outcome,
    seconds: (deps.export.now() - began) / 1000,
    error: null,
    held: null,
    ...more,
  });
  const { state } = deps.export;
  const { name, folder } = settings;
  try {
    const reason = await whyNot(deps, settings);
    if (reason !== null) return ended(skipped(reason));
    const [found] = await state.acquire('export', [{ name, folder }], request.holder, request.leaseMs, signal);
    if (found.state === 'held') return ended({ ...skipped(''), state: 'held', reason: null }, { held: found });
    const lease: Lease = { ...found.lease, runs: 'reconcile' };
    const work = (both: AbortSignal) => cleanedUp(deps, request, settings, { ...found, lease }, both);
    const outcome = await underLease(deps.export, { lease, ttlMs: request.leaseMs }, work, signal);
    if (!request.dryRun && outcome.state !== 'skipped') {
      await state.done.noteReconciled(displayName(name), outcome.deleted, signal);
    }
    return ended(outcome);
  } catch (error) {
    if (stoppedBy(signal)) return null;
    const known = toTidemarkError(sourceError(error, name));
    deps.export.log.debug({ err: error, table: displayName(name) }, 'the reconciliation failed');
    return ended({ ...skipped(''), state: 'failed', reason: null }, { error: known });
  }
}

/** Tables for which there is no need of a lease to know that they have to be left out. */
async function whyNot(
  { export: { state } }: ReconcileDeps,
  { name, key, folder }: TableSettings,
): Promise<string | null> {
  if (key === 'none') return 'it has no key: rows cannot be told apart';
  const [mark] = await state.marks([folder]);
  return mark === null ? notExported(name) : null;
}

/** What comes of the table; a run that failed is written down and leaves nothing in the lake. */
async function cleanedUp(
  deps: ReconcileDeps,
  request: ReconcileRequest,
  settings: TableSettings,
  found: Acquired,
  signal: AbortSignal,
): Promise<Outcome> {
  let planned: PlannedRun | null = null;
  try {
    const onPlanned = (run: PlannedRun) => {
      planned = run;
    };
    return await reconcileTable(deps, request, settings, found, onPlanned, signal);
  } catch (error) {
    const known = toTidemarkError(sourceError(error, settings.name));
    await noteFailure(deps.export, found.lease, planned, stoppedBy(signal) || request.dryRun ? null : known);
    throw known;
  }
}

/** Cleans up and writes down what went wrong (null: nothing, it was stopped). Never throws: what cannot be cleaned now the next run's recovery finds. */
async function noteFailure(
  deps: ExportDeps,
  lease: Lease,
  planned: PlannedRun | null,
  error: TidemarkError | null,
): Promise<void> {
  const { state, log } = deps;
  try {
    if (error) await state.fail(lease, planned?.run ?? null, error);
    if (planned) await discardFailed(deps, lease, planned, error?.message ?? 'stopped');
  } catch (later) {
    log.warn({ err: later, table: displayName(lease.table) }, 'what the failed run left is cleaned up by the next run');
  }
}
