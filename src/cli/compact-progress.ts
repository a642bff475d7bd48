/** Shows how far each table's compaction is: a live line a table on a terminal, else a log line now and then. */

import type { Logger } from 'pino';
import type { CompactProgress, CompactResult } from '../compact/result.ts';
import { formatBytes, formatSeconds, seconds } from '../model/format.ts';
import { displayName } from '../model/table.ts';
import type { Screen } from './screen.ts';

type Running = { began: number; bytes: number; done: number; logged: number };

/** Without a terminal a table that takes long is reported this often, in milliseconds. */
const LOG_EVERY_MS = 10_000;

/** `now`: milliseconds of a clock that never steps back. */
export function compactProgress(screen: Screen | null, log: Logger, now: () => number): CompactProgress {
  const running = new Map<string, Running>();
  const draw = () => screen?.draw([...running].map(([table, state]) => progressLine(table, state, now())));
  return {
    started(table, bytes) {
      running.set(displayName(table), { began: now(), bytes, done: 0, logged: now() });
      draw();
    },
    advanced(table, bytes) {
      const state = running.get(displayName(table));
      if (!state) return;
      state.done += bytes;
      draw();
      if (screen || now() - state.logged < LOG_EVERY_MS) return;
      state.logged = now();
      log.info({ table: displayName(table), done_bytes: state.done, bytes: state.bytes }, 'compacting');
    },
    ended(result) {
      if (running.delete(displayName(result.table))) draw();
      logResult(log, result);
    },
  };
}

/** `public.invoice  12 MB of 340 MB  about 12 s left`. */
function progressLine(table: string, { began, bytes, done }: Running, at: number): string {
  const left = done > 0 ? ((at - began) / 1000) * (bytes / done - 1) : 0;
  const about = left > 0 ? [`about ${formatSeconds(left)} left`] : [];
  return [table, `${formatBytes(done)} of ${formatBytes(bytes)}`, ...about].join('  ');
}

function logResult(log: Logger, result: CompactResult): void {
  const {
    table: name,
    version,
    throughRun,
    inserted,
    updated,
    deleted,
    filesAdded,
    filesRemoved,
    seconds: exact,
  } = result;
  const table = displayName(name);
  if (result.state === 'compacted') {
    const done = { inserted, updated, deleted, files_added: filesAdded, files_removed: filesRemoved };
    log.info(
      { table, run: throughRun === null ? null : Number(throughRun), version, ...done, seconds: seconds(exact) },
      'compacted',
    );
  } else if (result.state === 'held' && result.pausedSince !== undefined)
    log.info({ table, by: result.holder }, 'paused');
  else if (result.state === 'held') log.warn({ table, holder: result.holder }, 'another process holds the lease');
  else if (result.state === 'failed') log.debug({ table, code: result.error.code, seconds: seconds(exact) }, 'failed');
  else log.debug({ table, seconds: seconds(exact) }, 'nothing to compact');
}
