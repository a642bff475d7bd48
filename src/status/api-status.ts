/** `/api/status`: what `status --json` says, and what the daemon knows beyond it. Pure; field names are part of the interface. */

import type { Board, Sample, ShownError } from '../daemon/board.ts';
import type { TableStatus } from '../state/tables.ts';
import { statusJson } from './status-json.ts';

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());
const error = ({ code, message, hint }: ShownError) => ({ code, message, hint });

/** `tables` null: the state store could not be asked. `now`: milliseconds since 1970. */
export function apiStatus(tables: TableStatus[] | null, board: Board, now: number) {
  return {
    tables: tables?.map((table) => statusJson(table, now)) ?? null,
    daemon: {
      now: iso(now),
      started_at: iso(board.startedAt),
      away: [...board.away()].map(([service, away]) => ({ service, since: iso(away.since), error: error(away.error) })),
      works: board.works().map(({ kind, name, running, nextAt, trouble }) => ({
        kind,
        name,
        running: running && { since: iso(running.since), rows: running.rows, bytes: running.bytes },
        next_at: iso(nextAt),
        trouble: trouble && {
          times: trouble.times,
          since: iso(trouble.since),
          retry_at: iso(trouble.retryAt),
          slow: trouble.slow,
          error: error(trouble.error),
        },
      })),
    },
  };
}

/** A point of the charts; `at` in milliseconds since 1970. */
export function sampleJson({ at, maxLagSeconds, medianLagSeconds, rows, bytes }: Sample) {
  return { at, max_lag_seconds: maxLagSeconds, median_lag_seconds: medianLagSeconds, rows, bytes };
}
