/** What `tidemark load` says at the end: a line a load, the worst drops, the errors. Pure but for the output it is given. */

import type { LoadDryRun } from '../load/dry-run.ts';
import { type LoadResult, type LoadTotals, worst } from '../load/load-result.ts';
import { formatCount, formatSeconds, formatTable, seconds } from '../model/format.ts';
import type { CommandContext } from './context.ts';
import { errorParts, printErrors } from './error-output.ts';

/** The stable form of `load --json`. */
export function loadJson(result: LoadResult, secrets: readonly string[]) {
  const { totals } = result;
  return {
    load: result.load,
    state: result.state,
    drops: totals.drops,
    rows_in: totals.rowsIn,
    rows_out: totals.rowsOut,
    rows_filtered: totals.rowsFiltered,
    rows_rejected: totals.rowsRejected,
    rows_known: totals.rowsKnown,
    dead_drops: totals.deadDrops,
    known_drops: totals.known,
    gone_drops: totals.goneDrops,
    overwritten_drops: totals.overwrittenDrops,
    bytes: totals.bytes,
    seconds: seconds(result.seconds),
    ...(totals.bad.length > 0 ? { worst: worst(totals.bad).map(badJson) } : {}),
    ...(result.state === 'failed' ? { error: errorParts(result.error, secrets) } : {}),
  };
}

type Bad = LoadResult['totals']['bad'][number];

const badJson = ({ key, rowsIn, rejected, dead }: Bad) => ({
  drop: key,
  rows_in: rowsIn,
  rows_rejected: rejected,
  dead,
});

export function printLoads(results: LoadResult[], { out, quiet, secrets }: CommandContext): void {
  if (!quiet) for (const line of formatTable(results.map(cells))) out.line(line);
  for (const { load, totals } of results) {
    const bad = worst(totals.bad);
    if (bad.length === 0) continue;
    out.line();
    out.line(`${load}: drops with bad rows, the worst first`);
    const rows = bad.map(({ key, rowsIn, rejected, dead }) => [
      `  ${key}`,
      dead === null ? `${formatCount(rejected)} of ${formatCount(rowsIn)} rows rejected` : `dead: ${dead}`,
    ]);
    for (const line of formatTable(rows)) out.line(line);
  }
  printErrors(results, out, secrets);
}

const plural = (count: number, one: string) => `${formatCount(count)} ${one}${count === 1 ? '' : 's'}`;

function cells(result: LoadResult): string[] {
  const { load, totals } = result;
  const took = formatSeconds(result.seconds);
  if (result.state === 'nothing') {
    return [load, totals.listed === 0 ? 'no drops' : `nothing new in ${plural(totals.listed, 'drop')}`, took];
  }
  const counts = [drops(totals), rows(totals), took];
  return result.state === 'failed' ? [load, `failed: ${result.error.code}`, ...counts] : [load, ...counts];
}

/** `1,200 drops (300 known, 1 dead)`. */
function drops(totals: LoadTotals): string {
  const others = [
    some(totals.known, 'known'),
    some(totals.deadDrops, 'dead'),
    some(totals.goneDrops, 'gone'),
    some(totals.overwrittenDrops, 'overwritten'),
  ].flat();
  return plural(totals.drops, 'drop') + (others.length > 0 ? ` (${others.join(', ')})` : '');
}

/** `300,000 rows, 5 known, 12 rejected`. */
function rows(totals: LoadTotals): string {
  return [
    plural(totals.rowsOut - totals.rowsKnown, 'row'),
    some(totals.rowsKnown, 'known'),
    some(totals.rowsFiltered, 'filtered'),
    some(totals.rowsRejected, 'rejected'),
  ]
    .flat()
    .join(', ');
}

const some = (count: number, what: string) => (count > 0 ? [`${formatCount(count)} ${what}`] : []);

export function dryRunLoadJson({ load, drops, columns, rows, rejects }: LoadDryRun) {
  return {
    load,
    drops,
    rows: rows.map(({ drop, line, values }) => ({
      drop,
      line,
      values: Object.fromEntries(columns.map((name, i) => [name, values[i]])),
    })),
    rejects,
  };
}

/** Longer values are cut: they are shown to see whether they are in their columns. */
const MOST_SHOWN = 40;

export function printLoadDryRun({ load, drops, columns, rows, rejects }: LoadDryRun, { out }: CommandContext): void {
  out.line(
    `${load}: the first ${plural(rows.length, 'row')} of ${plural(drops.length, 'drop')}, as they would be inserted`,
  );
  const shown = (value: string | null) => (value === null ? 'NULL' : cut(plain(value)));
  const table = [
    ['drop', 'line', ...columns],
    ...rows.map(({ drop, line, values }) => [drop, String(line), ...values.map(shown)]),
  ];
  for (const line of formatTable(table, [false, true])) out.line(`  ${line}`);
  for (const { key, dead } of drops) if (dead !== null) out.line(`  ${key}: dead: ${dead}`);
  for (const { drop, line, reason, text } of rejects) {
    out.line(`  ${drop}:${line}: rejected: ${reason}`);
    out.line(`    ${cut(plain(text), 100)}`);
  }
}

/** On one line. */
function plain(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (c) => JSON.stringify(c).slice(1, -1));
}

function cut(text: string, most = MOST_SHOWN): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
