/** What `status --json` says of a staged table. Pure. */

import type { TableStatus } from '../state/tables.ts';
import { staleness } from './staged-health.ts';

/** Null where no compaction has worked on the table. */
export function stagedJson(table: TableStatus, now: number) {
  const { staged } = table;
  return (
    staged && {
      version: staged.version,
      through_run: staged.throughRun,
      as_of: staged.asOf,
      rows: staged.rows,
      files: staged.files,
      bytes: staged.bytes,
      checked_at: staged.checkedAt,
      compacted_at: staged.compactedAt,
      optimized_at: staged.optimizedAt,
      waiting_runs: staged.waiting.runs,
      waiting_rows: staged.waiting.rows,
      waiting_bytes: staged.waiting.bytes,
      waiting_since: staged.waiting.since,
      stale: staleness(table, now) !== null,
      failure: staged.failure && {
        run: staged.failure.run,
        failed_at: staged.failure.failedAt,
        error: staged.failure.error,
      },
      lease: staged.lease && {
        holder: staged.lease.holder,
        acquired_at: staged.lease.acquiredAt,
        expires_at: staged.lease.expiresAt,
        expired: staged.lease.expired,
      },
    }
  );
}
