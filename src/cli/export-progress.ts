/** Shows how far each table is: a live line a table on a terminal, else a log line now and then. */

import type { Logger } from 'pino';
import type { Progress, TableResult } from '../export/export-tables.ts';
import type { ChunksDone } from '../export/work.ts';
import { formatBytes, formatCount, formatSeconds, seconds as rounded } from '../model/format.ts';
import { displayName, type TableName } from '../model/table.ts';
import type { Screen } from './screen.ts';

type Running = {
  began: number;
  estimate: number;
  rows: bigint;
  bytes: number;
  logged: number;
  chunks?: ChunksDone;
};

/** Without a terminal a table that takes long is reported this often, in milliseconds. */
const LOG_EVERY_MS = 10_000;

/** `now`: milliseconds of a clock that never steps back. */
export function exportProgress(screen: Screen | null, log: Logger, now: () => number): Progress {
  const running = new Map<string, Running>();
  const draw = () => screen?.draw([...running].map(([table, state]) => progressLine(table, state, now())));
  return {
    started(table, estimatedRows) {
      running.set(displayName(table), { began: now(), estimate: estimatedRows, rows: 0n, bytes: 0, logged: now() });
    },
    advanced(table, rows, bytes, run, chunks) {
      const state = running.get(displayName(table));
      if (!state) return;
      Object.assign(state, { rows, bytes, chunks });
      draw();
      if (screen || now() - state.logged < LOG_EVERY_MS) return;
      state.logged = now();
      const about = { table: displayName(table), ...(run === null ? {} : { run: Number(run) }) };
      log.info({ ...about, rows, bytes, ...(chunks && { chunks_done: chunks.done, chunks: chunks.of }) }, 'exporting');
    },
    ended(result) {
      const shown = running.delete(displayName(result.table));
      if (shown) draw();
      logResult(log, result);
    },
  };
}

/** `public.invoice  1,200,000 rows  410,000/s  88 MB  about 12 s left`. */
function progressLine(table: string, { began, estimate, rows, bytes, chunks }: Running, at: number): string {
  const seconds = Math.max((at - began) / 1000, 0.001);
  const perSecond = Number(rows) / seconds;
  const left = estimate > Number(rows) && perSecond > 0 ? (estimate - Number(rows)) / perSecond : null;
  return [
    table,
    `${formatCount(rows)} rows`,
    `${formatCount(Math.round(perSecond))}/s`,
    formatBytes(bytes),
    ...(chunks ? [`${chunks.done} of ${chunks.of} chunks`] : []),
    ...(left === null ? [] : [`about ${formatSeconds(left)} left`]),
  ].join('  ');
}

function logResult(log: Logger, result: TableResult): void {
  logEnd(log, result);
  const { run, table, broken = [] } = result;
  for (const each of broken) {
    const about = { table: displayName(table), ...(run === null ? {} : { run: Number(run) }) };
    log.warn({ ...about, ...each }, 'an expectation is broken');
  }
}

function logEnd(log: Logger, result: TableResult): void {
  const { run, rows, lateRows } = result;
  const seconds = rounded(result.seconds);
  const about = { table: displayName(result.table as TableName), ...(run === null ? {} : { run: Number(run) }) };
  const bytes = result.files.reduce((sum, file) => sum + file.bytes, 0);
  if (result.state === 'committed') {
    const late = lateRows > 0n ? { late_rows: lateRows } : {};
    log.info({ ...about, rows, ...late, files: result.files.length, bytes, seconds }, 'exported');
  } else if (result.state === 'held' && result.pausedSince !== undefined)
    log.info({ ...about, by: result.holder }, 'paused');
  else if (result.state === 'held') log.warn({ ...about, holder: result.holder }, 'another process holds the lease');
  else if (result.state === 'failed') log.debug({ ...about, code: result.error.code, seconds }, 'failed');
  else log.debug({ ...about, seconds }, 'nothing to export');
}
