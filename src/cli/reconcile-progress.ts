/** Shows how far a reconciliation is: a live line on a terminal, else a log line at the end of each table. */

import type { Logger } from 'pino';
import { formatCount, seconds } from '../model/format.ts';
import { displayName } from '../model/table.ts';
import type { Reconciled, ReconcileRequest } from '../reconcile/work.ts';
import type { Screen } from './screen.ts';

type Advanced = NonNullable<ReconcileRequest['onProgress']>;

export function reconcileProgress(
  screen: Screen | null,
  log: Logger,
): { advanced: Advanced; ended: (result: Reconciled) => void } {
  return {
    advanced(table, what, rows, of) {
      const about = of ? ` of about ${formatCount(of)}` : '';
      const where = what === 'source' ? 'keys of the source' : 'keys of the staged table';
      screen?.draw([`${displayName(table)}  ${formatCount(rows)}${about} ${where}`]);
    },
    ended(result) {
      screen?.draw([]);
      logEnd(log, result);
    },
  };
}

function logEnd(log: Logger, result: Reconciled): void {
  const { run, keys, stagedKeys, deleted, waitingRuns, reason, held } = result;
  const about = { table: displayName(result.table), ...(run === null ? {} : { run: Number(run) }) };
  const figures = { keys, staged_keys: stagedKeys, deleted, seconds: seconds(result.seconds) };
  if (waitingRuns > 0n)
    log.info({ ...about, runs: waitingRuns }, 'runs wait for a compaction; their rows were not compared');
  if (held?.pausedSince !== undefined) log.info({ ...about, by: held.holder }, 'paused');
  else if (held) log.warn({ ...about, holder: held.holder }, 'another process holds the lease');
  else if (result.state === 'failed') log.debug({ ...about, code: result.error!.code }, 'failed');
  else if (result.state === 'skipped') log.debug({ ...about, reason }, 'skipped');
  else if (result.state === 'committed') log.info({ ...about, ...figures }, 'deleted rows were written to raw/');
  else log.debug({ ...about, ...figures }, 'compared');
}
