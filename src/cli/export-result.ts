/** What `tidemark export` says at the end: a line a table, the errors, the exit code. Pure but for the output it is given. */

import type { UnfitTable } from '../config/fitting-tables.ts';
import type { DryRun } from '../export/dry-run.ts';
import type { TableResult } from '../export/export-tables.ts';
import type { TidemarkError } from '../model/error.ts';
import { formatBytes, formatCount, formatSeconds, formatTable, seconds, toSecond } from '../model/format.ts';
import { displayName, type TableName } from '../model/table.ts';
import { brokenLine } from './broken.ts';
import type { CommandContext } from './context.ts';
import { errorParts, errorText, printErrors } from './error-output.ts';
import { heldJson, heldText } from './held.ts';
import { HISTORY_HINT } from './remedy.ts';

/** The stable form of `export --json`. */
export function resultJson(result: TableResult, secrets: readonly string[]) {
  const unfit = Object.keys(result.unfit).length > 0 ? { unfit: result.unfit } : {};
  return {
    table: displayName(result.table),
    run: result.run,
    state: result.state,
    rows: result.rows,
    late_rows: result.lateRows,
    files: result.files,
    watermark: result.watermark,
    seconds: seconds(result.seconds),
    ...unfit,
    ...(result.broken?.length ? { broken: result.broken } : {}),
    ...(result.changed ? { history: 'changed' } : {}),
    ...(result.state === 'held' ? heldJson(result) : {}),
    ...(result.state === 'failed' ? { error: errorParts(result.error, secrets) } : {}),
  };
}

/** A table that no run could be begun for. */
export function unfitResult({ name: table, error }: UnfitTable): TableResult {
  const none = { run: null, rows: 0n, lateRows: 0n, files: [], watermark: null, unfit: {}, seconds: 0 };
  return { table, state: 'failed', error, ...none };
}

/** More idle tables than this are counted, not listed. */
const MOST_IDLE = 30;

export function printResults(results: TableResult[], { out, quiet, secrets }: CommandContext): void {
  const count = (state: TableResult['state']) => results.filter((result) => result.state === state).length;
  const listIdle = count('nothing') <= MOST_IDLE;
  const shown = results.filter(({ state }) => state !== 'nothing' || listIdle);
  if (!quiet) for (const line of formatTable(shown.map(resultCells))) out.line(line);
  if (!quiet && !listIdle) out.line(`${formatCount(count('nothing'))} tables had nothing new`);
  for (const result of results) {
    for (const [column, counts] of Object.entries(result.unfit)) {
      const parts = [
        counts.null ? `${counts.null} written as NULL` : '',
        counts.text ? `${counts.text} kept as text` : '',
      ];
      out.line(
        `${displayName(result.table)}.${column}: values without a place in the lake: ${parts.filter(Boolean).join(', ')}`,
      );
    }
  }
  for (const { table, broken } of results) {
    for (const each of broken ?? []) out.line(brokenLine(table, each));
  }
  printChanged(results, out);
  printErrors(results, out, secrets);
}

/** One line for all tables of a reason: after a failover it is the same for each. */
function printChanged(results: TableResult[], out: CommandContext['out']): void {
  for (const why of new Set(results.flatMap(({ changed }) => changed ?? []))) {
    const tables = results.filter(({ changed }) => changed === why);
    const [{ table }] = tables;
    out.line(`${tables.length === 1 ? displayName(table) : `${formatCount(tables.length)} tables`}: ${why}`);
  }
  if (results.some(({ changed }) => changed)) out.line(`  hint: ${HISTORY_HINT}`);
}

function resultCells(result: TableResult): string[] {
  const table = displayName(result.table);
  if (result.state === 'failed') return [table, 'failed', result.error.code];
  if (result.state === 'held') return [table, 'held', heldText(result)];
  if (result.state === 'nothing') return [table, 'nothing new'];
  const bytes = result.files.reduce((sum, file) => sum + file.bytes, 0);
  const late = result.lateRows > 0n ? ` (${formatCount(result.lateRows)} late)` : '';
  return [
    table,
    `run ${result.run}`,
    `${formatCount(result.rows)} ${result.rows === 1n ? 'row' : 'rows'}${late}`,
    `${result.files.length} ${result.files.length === 1 ? 'file' : 'files'}`,
    formatBytes(bytes),
    upTo(result.watermark),
    formatSeconds(result.seconds),
  ];
}

const upTo = (watermark: string | null) => (watermark === null ? '' : `up to ${toSecond(watermark)}`);

export type DryRunResult = DryRun | { table: TableName; error: TidemarkError };

export function dryRunJson(found: DryRunResult, secrets: readonly string[]) {
  const table = displayName(found.table);
  if ('error' in found) return { table, error: errorParts(found.error, secrets) };
  const { reads, cursor, floor, key, chunks, estimatedRows, query } = found;
  return { table, reads, cursor, floor, key, chunks, estimated_rows: estimatedRows, query };
}

const READS: Record<DryRun['reads'], string> = {
  full: 'every row',
  changed: 'rows changed since the last run',
  range: 'rows of the range, again',
  scan: 'rows changed since the last run, by reading the whole table',
};

export function printDryRun(results: DryRunResult[], { out, secrets }: CommandContext): void {
  for (const found of results) {
    if ('error' in found) {
      for (const line of errorText(found.error, secrets).split('\n')) out.line(line);
      continue;
    }
    const from = found.floor === null ? '' : `, ${found.cursor} from ${found.floor}`;
    const inChunks = found.chunks === null ? '' : `, in ${found.chunks} chunks`;
    out.line(
      `${displayName(found.table)}  ${READS[found.reads]}${from}${inChunks}; about ${formatCount(found.estimatedRows)} rows`,
    );
    out.line(`  ${found.query.replaceAll(/\s+/g, ' ')}`);
  }
}
