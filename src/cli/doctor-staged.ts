/** doctor's look at staged tables, by what the state store knows of them: one line for those that are well, one for each problem. Pure. */

import { formatCount, formatSeconds, toSecond } from '../model/format.ts';
import { displayName } from '../model/table.ts';
import type { TableStatus } from '../state/tables.ts';
import { staleness, staleRemedy, waitingMs } from '../status/staged-health.ts';
import type { Check } from './doctor-check.ts';

/** Compactions come by the minute or by the night. */
const LATE_MS = 86_400_000;

/** `now`: milliseconds since 1970. Nothing when no compaction has ever worked on a table. */
export function checkStaged(all: TableStatus[], now: number): Check[] {
  const tables = all.filter(({ staged }) => staged !== null);
  if (tables.length === 0) return [];
  const bad = tables.flatMap((table) => {
    const problem = look(table, now);
    return problem ? [problem] : [];
  });
  const well = tables.length - bad.length;
  const ok: Check = {
    group: 'state',
    check: 'staged',
    state: 'ok',
    found: `${formatCount(well)} staged ${well === 1 ? 'table' : 'tables'}, none late`,
  };
  return well > 0 ? [ok, ...bad] : bad;
}

function look(status: TableStatus, now: number): Check | null {
  const table = displayName(status.table);
  const { failure, waiting } = status.staged!;
  const warn = (found: string, remedy: string): Check => ({
    group: 'state',
    check: 'staged',
    state: 'warn',
    found: `${table}: ${found}`,
    remedy,
    table,
  });
  if (failure) {
    const { code, message, hint } = failure.error;
    const found = `its last compaction failed at ${toSecond(failure.failedAt)}: ${code}: ${message}`;
    return warn(found, hint ?? `tidemark compact --table ${table}`);
  }
  const stale = staleness(status, now);
  if (stale) return warn(stale, staleRemedy(table));
  const late = waitingMs(status, now);
  if (late < LATE_MS) return null;
  return warn(
    `${formatCount(waiting.rows)} exported rows have waited for a compaction for ${formatSeconds(late / 1000)}`,
    `tidemark compact --table ${table}, and put it on a schedule`,
  );
}
