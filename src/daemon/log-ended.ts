/** A line for each run that did something or failed; idle ones are for the debug level. */

import type { Logger } from 'pino';
import type { Failing, Outcome } from './agenda.ts';
import type { Work } from './board.ts';
import type { Figures } from './lane.ts';

const DONE = { export: 'exported', compact: 'compacted', load: 'loaded', vacuum: 'vacuumed', reconcile: 'reconciled' };

export function logEnded(
  log: Logger,
  { kind, name }: Work,
  outcome: Outcome,
  { run, rows, lateRows, bytes, seconds, fields }: Figures,
  failing: Failing | null,
  now: number,
): void {
  const about = {
    ...(kind === 'load' ? { load: name } : { table: name }),
    ...(run === null ? {} : { run: Number(run) }),
  };
  const rounded = Math.round(seconds * 1000) / 1000;
  if (outcome.state === 'done') {
    const late = lateRows > 0 ? { late_rows: lateRows } : {};
    log.info({ ...about, rows, ...late, bytes, ...fields, seconds: rounded }, DONE[kind]);
  } else if (outcome.state === 'failed') {
    const retry = failing && {
      times: failing.times,
      retry_in_seconds: Math.round((failing.retryAt - now) / 1000),
      ...(failing.slow ? { slow: true } : {}),
    };
    // A thousand tables that fail for hours would leave nothing else to be read.
    const level = isTold(failing?.times ?? 1) ? 'warn' : 'debug';
    log[level]({ kind, ...about, err: outcome.error, ...retry, seconds: rounded }, 'failed');
  } else {
    log.debug({ kind, ...about, ...fields, seconds: rounded }, outcome.state === 'held' ? 'held' : 'nothing to do');
  }
}

/** The first five, then the 8th, 16th, 32nd … in a row. */
function isTold(times: number): boolean {
  return times <= 5 || Number.isInteger(Math.log2(times));
}
