/** `tidemark status`: what is where, how late, what failed last. */

import { loadConfig } from '../config/load-config.ts';
import { messageWithPlace, TidemarkError } from '../model/error.ts';
import { formatBytes, formatCount, formatSeconds, formatTable, toSecond } from '../model/format.ts';
import { displayName } from '../model/table.ts';
import { candidates, splitNames } from '../model/table-pattern.ts';
import type { TableStatus } from '../state/tables.ts';
import { lagSeconds, statusJson } from '../status/status-json.ts';
import { brokenLine } from './broken.ts';
import { runCheck } from './check.ts';
import type { CommandContext } from './context.ts';
import { openStateOf } from './open-source.ts';
import { HISTORY_HINT } from './remedy.ts';
import { stagedLines, stagedProblems } from './status-staged.ts';
import { parseSpan } from './typed-time.ts';

export type StatusOptions = { table?: string[]; check?: boolean; maxLag?: string };

/** Exit code 0; with --check 1 when something is wrong. Throws USAGE, STATE_*, TABLE_UNKNOWN for a table that no export has met. */
export async function runStatus(options: StatusOptions, context: CommandContext): Promise<number> {
  const { table, check, maxLag } = options;
  const maxLagMs = maxLag === undefined ? undefined : parseSpan(maxLag, '--max-lag');
  if (maxLag !== undefined && !check)
    throw new TidemarkError('USAGE', '--max-lag goes with --check', { hint: 'tidemark status --check --max-lag 15m' });
  const config = await loadConfig(context);
  await using state = await openStateOf(config, context, 'never');
  if (check) return await runCheck(config, state, { table, maxLagMs }, context);
  const tables = selected(await state.status(), options.table);
  const now = Date.now();
  context.out.json({ tables: tables.map((table) => statusJson(table, now)) });
  print(tables, now, context);
  return 0;
}

function selected(all: TableStatus[], wanted: string[] | undefined): TableStatus[] {
  if (!wanted?.length) return all;
  const known = all.map((status) => ({ name: status.table, status }));
  return wanted.flatMap((text) =>
    splitNames(text).flatMap((pattern) => {
      const found = candidates(pattern, known);
      if (found.length > 0) return found.map(({ status }) => status);
      throw new TidemarkError('TABLE_UNKNOWN', `no export has met a table ${text}`, {
        table: text,
        hint:
          all.length > 0
            ? `it has met ${all
                .map(({ table }) => displayName(table))
                .slice(0, 10)
                .join(', ')}`
            : 'tidemark export --all is the first step',
      });
    }),
  );
}

function print(tables: TableStatus[], now: number, { out }: CommandContext): void {
  if (tables.length === 0) {
    out.line('nothing was exported yet: tidemark export --all');
    return;
  }
  const head = ['table', 'lag', 'last run', 'rows', 'late', 'raw files', 'size', 'watermark', ''];
  const cells = tables.map((table) => {
    const lag = lagSeconds(table, now);
    const { lastRun, raw } = table;
    return [
      displayName(table.table),
      lag === null ? '-' : formatSeconds(lag),
      lastRun ? String(lastRun.run) : '-',
      lastRun ? formatCount(lastRun.rows) : '-',
      lastRun ? formatCount(lastRun.lateRows) : '-',
      formatCount(raw.files),
      formatBytes(Number(raw.bytes)),
      table.mark?.watermark ? toSecond(table.mark.watermark) : '-',
      note(table),
    ];
  });
  const [first, ...rest] = formatTable([head, ...cells], [false, true, true, true, true, true, true]);
  out.line(out.style('dim', first));
  for (const line of rest) out.line(line);
  const [stagedHead, ...staged] = stagedLines(tables, now);
  if (stagedHead !== undefined) {
    out.line();
    out.line(out.style('dim', stagedHead));
    for (const line of staged) out.line(line);
  }
  for (const { table, failure } of tables) {
    if (!failure) continue;
    out.line();
    out.line(
      `${displayName(table)} failed at ${toSecond(failure.failedAt)}: ${failure.error.code}: ${messageWithPlace(failure.error)}`,
    );
    if (failure.error.hint) out.line(`  hint: ${failure.error.hint}`);
  }
  for (const line of stagedProblems(tables, now)) out.line(line);
  for (const { table, mark } of tables) {
    if (mark?.doubt) out.line(`${displayName(table)}: ${mark.doubt.why}, since ${toSecond(mark.doubt.at)}`);
  }
  if (tables.some(({ mark }) => mark?.doubt)) out.line(`  hint: ${HISTORY_HINT}`);
  for (const { table, broken } of tables) for (const each of broken) out.line(brokenLine(table, each));
  for (const { table, unfit } of tables) {
    for (const [column, counts] of Object.entries(unfit)) {
      out.line(
        `${displayName(table)}.${column}: without a place in the lake: ${counts.null ?? 0} written as NULL, ${counts.text ?? 0} kept as text`,
      );
    }
  }
}

function note(table: TableStatus): string {
  const { chunks } = table;
  const parts = chunks ? [`run ${chunks.run}: ${formatCount(chunks.done)} of ${formatCount(chunks.of)} chunks`] : [];
  return [standing(table), ...parts].filter(Boolean).join('; ');
}

function standing({ failure, lease, paused }: TableStatus): string {
  if (paused) return `paused by ${paused.by} since ${toSecond(paused.at)}`;
  if (failure) return failure.open ? 'failed, next run repairs' : 'failed';
  if (lease && !lease.expired) return `held by ${lease.holder}`;
  return '';
}
