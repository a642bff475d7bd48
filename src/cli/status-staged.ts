/** What `tidemark status` says of staged tables. Pure. */

import { messageWithPlace } from '../model/error.ts';
import { formatBytes, formatCount, formatSeconds, formatTable, toSecond } from '../model/format.ts';
import { displayName } from '../model/table.ts';
import type { RunError } from '../state/schema.ts';
import type { StagedStatus } from '../state/staged.ts';
import type { TableStatus } from '../state/tables.ts';
import { staleness, staleRemedy, waitingMs } from '../status/staged-health.ts';

/** A table for people, its head first; empty when no compaction has worked on any of them. */
export function stagedLines(tables: TableStatus[], now: number): string[] {
  // Most people reconcile never, or all of them.
  const reconciled = tables.some((table) => table.reconciled !== null);
  const rows = tables.flatMap((table) => (table.staged ? [cells(table, table.staged, reconciled, now)] : []));
  if (rows.length === 0) return [];
  const head = ['staged', 'version', 'rows', 'files', 'size', 'waiting', 'for', 'as of'];
  head.push(...(reconciled ? ['reconciled', ''] : ['']));
  return formatTable([head, ...rows], [false, true, true, true, true, true, true]);
}

function cells(table: TableStatus, staged: StagedStatus, reconciled: boolean, now: number): string[] {
  const { version, rows, files, bytes, waiting, asOf } = staged;
  const count = (number: bigint | null) => (number === null ? '-' : formatCount(number));
  return [
    displayName(table.table),
    version === null ? '-' : String(version),
    count(rows),
    count(files),
    bytes === null ? '-' : formatBytes(Number(bytes)),
    waiting.since === null ? '-' : `${formatCount(waiting.rows)} ${waiting.rows === 1n ? 'row' : 'rows'}`,
    waiting.since === null ? '-' : formatSeconds(waitingMs(table, now) / 1000),
    asOf === null ? '-' : toSecond(asOf),
    ...(reconciled ? [table.reconciled === null ? '-' : toSecond(table.reconciled.at)] : []),
    note(table, staged, now),
  ];
}

function note(table: TableStatus, { failure, lease }: StagedStatus, now: number): string {
  if (failure) return 'failed';
  if (lease && !lease.expired) return `held by ${lease.holder}`;
  return staleness(table, now) === null ? '' : 'stale';
}

/** What went wrong, and what is stale: some lines for each table that has any. */
export function stagedProblems(tables: TableStatus[], now: number): string[] {
  return tables.flatMap((table) => {
    const name = displayName(table.table);
    const stale = staleness(table, now);
    return [
      ...failureLines(name, 'compacted', table.staged?.failure ?? null),
      ...failureLines(name, 'reconciled', table.reconcileFailure),
      ...(stale ? ['', `${name}: ${stale}`, `  hint: ${staleRemedy(name)}`] : []),
    ];
  });
}

function failureLines(name: string, what: string, failure: { failedAt: string; error: RunError } | null): string[] {
  if (failure === null) return [];
  const { failedAt, error } = failure;
  return [
    '',
    `${name} was not ${what} at ${toSecond(failedAt)}: ${error.code}: ${messageWithPlace(error)}`,
    ...(error.hint ? [`  hint: ${error.hint}`] : []),
  ];
}
