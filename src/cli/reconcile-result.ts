/** What `tidemark reconcile` says at the end: a line a table, the errors, the exit code. Pure but for the output it is given. */

import { formatCount, formatSeconds, formatTable, seconds } from '../model/format.ts';
import { displayName } from '../model/table.ts';
import type { Reconciled } from '../reconcile/work.ts';
import type { CommandContext } from './context.ts';
import { errorParts, printErrors } from './error-output.ts';
import { exitCodeOfTables } from './exit-code.ts';
import { heldJson, heldText } from './held.ts';

/** The stable form of `reconcile --json`. */
export function reconciledJson(result: Reconciled, dryRun: boolean, secrets: readonly string[]) {
  return {
    table: displayName(result.table),
    run: result.run,
    state: result.state,
    keys: result.keys,
    staged_keys: result.stagedKeys,
    deleted: result.deleted,
    waiting_runs: result.waitingRuns,
    seconds: seconds(result.seconds),
    ...(dryRun ? { dry_run: true, sample: result.sample } : {}),
    ...(result.reason === null ? {} : { reason: result.reason }),
    ...(result.held ? heldJson(result.held) : {}),
    ...(result.error ? { error: errorParts(result.error, secrets) } : {}),
  };
}

/** More tables than this in which nothing is deleted are counted, not listed. */
const MOST_IDLE = 30;

export function printReconciled(results: Reconciled[], { out, quiet, secrets, signal }: CommandContext): void {
  const idle = results.filter(({ state }) => state === 'nothing').length;
  // Reasons are sentences: in a column they would tear the others apart.
  const shown = results.filter(({ state }) => state !== 'skipped' && (state !== 'nothing' || idle <= MOST_IDLE));
  const lines = formatTable(shown.map(cells));
  for (const [i, { sample }] of shown.entries()) {
    if (!quiet) out.line(lines[i]);
    for (const key of sample) out.line(`  ${key}`);
  }
  if (!quiet && idle > MOST_IDLE) out.line(`${formatCount(idle)} tables: nothing deleted`);
  if (!quiet)
    for (const { table, reason } of results) if (reason !== null) out.line(`${displayName(table)}  skipped: ${reason}`);
  if (!quiet && results.length === 0 && !signal.aborted) out.line('no configured table');
  for (const { table, waitingRuns } of results) {
    // Usual where exports go on meanwhile: no news for cron.
    if (quiet || waitingRuns === 0n) continue;
    const runs = waitingRuns === 1n ? '1 run waits' : `${formatCount(waitingRuns)} runs wait`;
    out.line(
      `${displayName(table)}: ${runs} for a compaction; rows that are not in the staged table yet were not compared`,
    );
  }
  if (!quiet && results.some(({ state }) => state === 'committed'))
    out.line('tidemark compact takes the deleted rows out of the staged tables');
  printErrors(
    results.flatMap(({ error }) => (error ? [{ state: 'failed' as const, error }] : [])),
    out,
    secrets,
  );
}

function cells(result: Reconciled): string[] {
  const table = displayName(result.table);
  const { state, deleted, stagedKeys, keys } = result;
  if (state === 'failed') return [table, 'failed', result.error!.code];
  if (state === 'held') return [table, 'held', heldText(result.held!)];
  const what = { committed: `run ${result.run}`, found: 'dry run', nothing: 'nothing deleted', skipped: '' };
  return [
    table,
    what[state],
    state === 'nothing' ? '' : `${formatCount(deleted)} deleted`,
    `${formatCount(stagedKeys)} staged`,
    `${formatCount(keys)} in the source`,
    formatSeconds(result.seconds),
  ];
}

/** `named`: by --table; then a table that was left out is one for which something is missing. */
export function exitCodeOfReconciled(results: readonly Reconciled[], named: boolean): number {
  const outcomes = results.map(({ state, error, held }) => (error ? { state, error } : (held ?? { state })));
  const code = exitCodeOfTables(outcomes, named);
  const skipped = results.filter(({ state }) => state === 'skipped').length;
  if (!named || code !== 0 || skipped === 0) return code;
  return skipped === results.length ? 3 : 1;
}
