/** What is wrong with the tables, and how to mend it: for `status --check`. Pure. */

import { messageWithPlace, type TidemarkError } from '../model/error.ts';
import { formatCount, formatSeconds } from '../model/format.ts';
import { displayName, type TableName } from '../model/table.ts';
import type { TableStatus } from '../state/tables.ts';
import { staleness, staleRemedy, waitingMs } from '../status/staged-health.ts';
import { lagSeconds } from '../status/status-json.ts';

export type Problem = {
  table: string | null;
  load?: string;
  problem:
    | 'never_exported'
    | 'failing'
    | 'late'
    | 'compaction_failing'
    | 'compaction_late'
    | 'reconciliation_failing'
    | 'stale'
    | 'source'
    | 'target'
    | 'dead_drops';
  message: string;
  remedy: string;
};

/** `maxLagMs`: of the raw files, and of the staged table behind them. `status` undefined: no export has met the table. */
export function problemsOf(name: TableName, status: TableStatus | undefined, maxLagMs: number, now: number): Problem[] {
  const table = displayName(name);
  const problem = (problem: Problem['problem'], message: string, remedy: string) => [
    { table, problem, message, remedy },
  ];
  // Somebody wants it so.
  if (status?.paused) return [];
  const failing = status?.failure
    ? problem(
        'failing',
        errorLine(status.failure.error),
        status.failure.error.hint ?? `tidemark export --table ${table}`,
      )
    : [];
  const lag = status ? lagSeconds(status, now) : null;
  if (!status || lag === null) {
    const first = problem(
      'never_exported',
      inChunks(status) ?? 'it is configured, and was never exported',
      atWork(status) ?? `tidemark export --table ${table}`,
    );
    return failing.length > 0 ? failing : first;
  }
  const late =
    lag * 1000 > maxLagMs
      ? problem('late', behind(lag, maxLagMs), atWork(status) ?? `tidemark export --table ${table}`)
      : [];
  return [
    ...(failing.length > 0 ? failing : late),
    ...stagedProblems(table, status, maxLagMs, now),
    ...reconcileProblems(table, status),
  ];
}

function reconcileProblems(table: string, { reconcileFailure }: TableStatus): Problem[] {
  if (reconcileFailure === null) return [];
  const { error } = reconcileFailure;
  const remedy = error.hint ?? `tidemark reconcile --table ${table}`;
  return [{ table, problem: 'reconciliation_failing', message: errorLine(error), remedy }];
}

function stagedProblems(table: string, status: TableStatus, maxLagMs: number, now: number): Problem[] {
  const { staged } = status;
  if (!staged) return [];
  const found: Problem[] = [];
  const { failure, waiting, lease } = staged;
  if (failure) {
    const remedy = failure.error.hint ?? `tidemark compact --table ${table}`;
    found.push({ table, problem: 'compaction_failing', message: errorLine(failure.error), remedy });
  }
  const stale = staleness(status, now);
  if (stale !== null) found.push({ table, problem: 'stale', message: stale, remedy: staleRemedy(table) });
  else if (waiting.runs > 0n && waitingMs(status, now) > maxLagMs) {
    const rows = waiting.rows === 1n ? '1 row waits' : `${formatCount(waiting.rows)} rows wait`;
    const message = `${rows} for a compaction, since ${formatSeconds(waitingMs(status, now) / 1000)}`;
    const remedy = lease && !lease.expired ? `${lease.holder} works on it` : `tidemark compact --table ${table}`;
    found.push({ table, problem: 'compaction_late', message, remedy });
  }
  return found;
}

function behind(lag: number, maxLagMs: number): string {
  return `${formatSeconds(lag)} behind, which is more than ${formatSeconds(maxLagMs / 1000)}`;
}

export function errorLine(error: { code: string; message: string; column?: string; key?: string }): string {
  return `${error.code}: ${messageWithPlace(error).replaceAll(/\s*\n\s*/g, ' ')}`;
}

function atWork(status: TableStatus | undefined): string | null {
  return status?.lease && !status.lease.expired ? `${status.lease.holder} works on it` : null;
}

function inChunks(status: TableStatus | undefined): string | null {
  if (!status?.chunks) return null;
  const { run, done, of } = status.chunks;
  return `its first export, run ${run}, has ${formatCount(done)} of ${formatCount(of)} chunks`;
}

/** What keeps the tables from being known: the source is away, or the configuration does not fit it. */
export function sourceProblem({ code, message, hint, place }: TidemarkError): Problem {
  return {
    table: place.table ?? null,
    problem: 'source',
    message: errorLine({ code, message }),
    remedy: hint ?? 'tidemark doctor',
  };
}

/** One line, for people and pagers. */
export function problemLine({ table, load, problem, message, remedy }: Problem): string {
  const what = problem.replaceAll('_', ' ');
  return [load === undefined ? table : `load ${load}`, `${what}:`, `${message};`, remedy].filter(Boolean).join(' ');
}
