/** What `status --json` and the daemon's /api/status say of a table: one shape for both. Pure. */

import { displayName } from '../model/table.ts';
import type { TableStatus } from '../state/tables.ts';
import { stagedJson } from './staged-json.ts';

/** Seconds since the last run that looked at the table: nothing that was committed before it is missing. */
export function lagSeconds({ mark }: TableStatus, now: number): number | null {
  return mark === null ? null : Math.max(0, (now - Date.parse(mark.at)) / 1000);
}

/** A table of `status --json` and of the daemon's /api/status. `now`: milliseconds since 1970. */
export function statusJson(table: TableStatus, now: number) {
  const { mark, lastRun, failure, lease, raw } = table;
  const lag = lagSeconds(table, now);
  return {
    table: displayName(table.table),
    folder: table.folder,
    lag_seconds: lag === null ? null : Math.round(lag * 10) / 10,
    watermark: mark?.watermark ?? null,
    floor: mark?.floor ?? null,
    snapshot_at: mark?.at ?? null,
    history: mark?.doubt ? { changed_at: mark.doubt.at, why: mark.doubt.why } : null,
    last_checked_at: table.lastCheckedAt,
    last_run: lastRun && {
      run: lastRun.run,
      full: lastRun.full,
      rows: lastRun.rows,
      late_rows: lastRun.lateRows,
      finished_at: lastRun.finishedAt,
      repeats: table.repeats,
      broken: table.broken,
    },
    failure: failure && { run: failure.run, failed_at: failure.failedAt, open: failure.open, error: failure.error },
    lease: lease && {
      holder: lease.holder,
      acquired_at: lease.acquiredAt,
      expires_at: lease.expiresAt,
      expired: lease.expired,
    },
    chunks: table.chunks,
    paused: table.paused && { paused_by: table.paused.by, paused_at: table.paused.at },
    raw: { files: raw.files, bytes: raw.bytes, rows: raw.rows },
    unfit: table.unfit,
    staged: stagedJson(table, now),
    reconciled: table.reconciled && { finished_at: table.reconciled.at, deleted: table.reconciled.deleted },
    reconcile_failure: table.reconcileFailure && {
      run: table.reconcileFailure.run,
      failed_at: table.reconcileFailure.failedAt,
      error: table.reconcileFailure.error,
    },
  };
}
