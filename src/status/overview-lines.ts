/** What the first page says of one table, and of one load. Pure. */

import type { ShownError, WorkKind, WorkState } from '../daemon/board.ts';
import { serviceOf } from '../daemon/services.ts';
import { type ErrorCode, messageWithPlace } from '../model/error.ts';
import type { RunError } from '../state/schema.ts';
import type { TableStatus } from '../state/tables.ts';
import type { LoadCounts } from './ledger-counts.ts';
import type { Failing, LoadLine, OverviewInput, Rank, Running, TableLine } from './overview.ts';
import { staleness } from './staged-health.ts';

/** Due for so long and not begun: something is in its way. */
const OVERDUE_MS = 60_000;

export function tableLine(
  name: string,
  status: TableStatus | null,
  works: ReadonlyMap<WorkKind, WorkState> | undefined,
  { now, holder, away }: Pick<OverviewInput, 'now' | 'holder' | 'away'>,
): TableLine {
  const each = [...(works?.values() ?? [])];
  const failing = each.flatMap(failingOf);
  // What another process met: the board here knows nothing of it.
  const told = (kind: WorkKind, failure: { failedAt: string; error: RunError } | null | undefined) => {
    if (!failure || failing.some((one) => one.kind === kind)) return;
    // Said once above all tables; it is no fault of this one, which met it first.
    if (away.has(serviceOf(failure.error.code as ErrorCode) ?? '')) return;
    failing.push({
      kind,
      since: Date.parse(failure.failedAt),
      times: null,
      retryAt: null,
      slow: false,
      error: shown(failure.error),
    });
  };
  told('export', status?.failure);
  told('compact', status?.staged?.failure);
  told('reconcile', status?.reconcileFailure);
  const running = each.flatMap(runningOf);
  const nextAt = works?.get('export')?.nextAt ?? null;
  const staged = status?.staged ?? null;
  const lease = status?.lease;
  const heldBy = lease && !lease.expired && lease.holder !== holder ? lease.holder : null;
  const late = each.some((work) => work.kind !== 'reconcile' && overdue(work, now)) && !isReconciled(running);
  const warnings = status === null ? [] : warningsOf(status, now);
  const paused = status?.paused ? { by: status.paused.by, at: Date.parse(status.paused.at) } : null;
  return {
    name,
    folder: status?.folder ?? null,
    rank: rankOf({ failing, late, warnings, paused, heldBy, running }),
    seenAt: status?.mark ? Date.parse(status.mark.at) : null,
    lastRun: status?.lastRun
      ? {
          run: String(status.lastRun.run),
          at: Date.parse(status.lastRun.finishedAt),
          rows: status.lastRun.rows,
          lateRows: status.lastRun.lateRows,
          full: status.lastRun.full,
        }
      : null,
    watermark: status?.mark?.watermark ?? null,
    failing,
    warnings,
    paused,
    heldBy,
    chunks: status?.chunks ? { ...status.chunks, run: String(status.chunks.run) } : null,
    staged: staged && {
      version: staged.version,
      waitingRows: staged.waiting.rows,
      waitingSince: staged.waiting.since === null ? null : Date.parse(staged.waiting.since),
    },
    running,
    nextAt,
    nextCompactAt: works?.get('compact')?.nextAt ?? null,
    nextReconcileAt: works?.get('reconcile')?.nextAt ?? null,
  };
}

export function loadLine(name: string, counts: LoadCounts | null, work: WorkState | undefined, now: number): LoadLine {
  const failing = work ? failingOf(work) : [];
  const running = work ? runningOf(work) : [];
  const late = work !== undefined && overdue(work, now);
  return {
    name,
    // A drop that cannot be read waits for somebody to look at it; rejects may be what one lives with.
    rank: rankOf({ failing, late, running, warnings: counts !== null && counts.dead > 0 ? ['dead drops'] : [] }),
    running,
    failing,
    nextAt: work?.nextAt ?? null,
    counts,
  };
}

function shown(error: RunError): ShownError {
  return { code: error.code, message: messageWithPlace(error), hint: error.hint ?? null };
}

function failingOf({ kind, trouble }: WorkState): Failing[] {
  return trouble === null ? [] : [{ kind, ...trouble }];
}

function runningOf({ kind, running }: WorkState): Running[] {
  return running === null ? [] : [{ kind, since: running.since, rows: running.rows }];
}

/** It holds the table's export up, as it should; and others wait for their turn after it, some for an hour. */
function isReconciled(running: Running[]): boolean {
  return running.some(({ kind }) => kind === 'reconcile');
}

function overdue({ running, nextAt, trouble }: WorkState, now: number): boolean {
  return running === null && trouble === null && nextAt !== null && nextAt < now - OVERDUE_MS;
}

type Ranked = Pick<TableLine, 'failing' | 'running'> &
  Partial<Pick<TableLine, 'warnings' | 'paused' | 'heldBy'>> & { late: boolean };

function rankOf({ failing, late, warnings = [], paused = null, heldBy = null, running }: Ranked): Rank {
  if (failing.length > 0) return 'failing';
  // A paused table is late for a reason.
  if (paused !== null) return 'paused';
  if (late) return 'late';
  if (warnings.length > 0) return 'warning';
  if (heldBy !== null) return 'held';
  return running.length > 0 ? 'running' : 'well';
}

function warningsOf(status: TableStatus, now: number): string[] {
  const stale = staleness(status, now);
  return [
    ...(stale === null ? [] : [stale]),
    ...(status.mark?.doubt ? [`${status.mark.doubt.why}; export it with --full`] : []),
    ...status.broken.map(({ column, rule, count }) => `${count} rows of the last run break ${rule} of ${column}`),
  ];
}
