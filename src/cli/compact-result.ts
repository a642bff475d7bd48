/** What `tidemark compact` says at the end: a line a table, then the errors. Pure but for the output it is given. */

import type { CompactResult } from '../compact/result.ts';
import { formatBytes, formatCount, formatSeconds, formatTable, seconds } from '../model/format.ts';
import { displayName } from '../model/table.ts';
import type { CommandContext } from './context.ts';
import { errorParts, printErrors } from './error-output.ts';
import { heldJson, heldText } from './held.ts';

/** The stable form of `compact --json`. `asOf`: into a folder of its own, which is named. */
export function compactJson(result: CompactResult, asOf: boolean, secrets: readonly string[]) {
  return {
    table: displayName(result.table),
    ...(asOf ? { folder: result.folder } : {}),
    state: result.state,
    version: result.version,
    through_run: result.throughRun,
    inserted: result.inserted,
    updated: result.updated,
    deleted: result.deleted,
    files_added: result.filesAdded,
    files_removed: result.filesRemoved,
    bytes_written: result.bytesWritten,
    seconds: seconds(result.seconds),
    ...(result.state === 'held' ? heldJson(result) : {}),
    ...(result.state === 'failed' ? { error: errorParts(result.error, secrets) } : {}),
  };
}

const UNMERGED = 'nothing merged: without a key only full runs are';

/** More idle tables than this are counted, not listed. */
const MOST_IDLE = 30;

export function printCompacted(
  results: CompactResult[],
  asOf: boolean,
  { out, quiet, secrets, signal }: CommandContext,
): void {
  const idle = results.filter(({ state }) => state === 'nothing').length;
  const listIdle = idle <= MOST_IDLE;
  const shown = results.filter(({ state }) => state !== 'nothing' || listIdle);
  if (!quiet) for (const line of formatTable(shown.map((each) => cells(each, asOf)))) out.line(line);
  if (!quiet && !listIdle) out.line(`${formatCount(idle)} tables had nothing new`);
  if (!quiet && results.length === 0 && !signal.aborted)
    out.line('no exported table: tidemark export --all comes first');
  printErrors(results, out, secrets);
}

function cells(result: CompactResult, asOf: boolean): string[] {
  const table = displayName(result.table);
  if (result.state === 'failed') return [table, 'failed', result.error.code];
  if (result.state === 'held') return [table, 'held', heldText(result)];
  if (result.state === 'nothing') return [table, result.unmerged ? UNMERGED : 'nothing new'];
  return [
    table,
    `version ${result.version}`,
    result.throughRun === null ? '' : `through run ${result.throughRun}`,
    `+${formatCount(result.inserted)} ~${formatCount(result.updated)} -${formatCount(result.deleted)} rows`,
    `+${result.filesAdded} -${result.filesRemoved} files`,
    formatBytes(result.bytesWritten),
    formatSeconds(result.seconds),
    ...(asOf ? [`in staged/${result.folder}`] : []),
  ];
}
