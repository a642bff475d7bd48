/** Several loads, one after another. Invariant: a load that fails does not stop the others. */

import path from 'node:path';
import type { Logger } from 'pino';
import { toTidemarkError } from '../model/error.ts';
import { daysOfWindow } from './days.ts';
import { type LoadDeps, type LoadProgress, loadDrops } from './load-drops.ts';
import { type LoadResult, type LoadTotals, noTotals } from './load-result.ts';
import { ParserPool } from './parse/parser-pool.ts';
import type { LoadSettings } from './settings.ts';
import { openDropSource } from './source.ts';
import { Target } from './target/target.ts';

const DAY_MS = 86_400_000;

export type LoadWork = {
  env: Record<string, string | undefined>;
  log: Logger;
  /** Where large objects lie while they are parsed. */
  temporary: string;
  /** Threads that parse. */
  workers: number;
  /** Milliseconds since 1970, for the window of days; and of a clock that never steps back. */
  clock(): number;
  now(): number;
  step: LoadDeps['step'];
};

export type LoadsProgress = (load: string) => LoadProgress & { waiting(why: string | null): void; ended(): void };

/** `days`: of `--date`; null: each load's window. */
export function daysOf(settings: LoadSettings, days: string[] | null, clock: number): string[] {
  return days ?? daysOfWindow(clock, settings.windowMs ?? DAY_MS, settings.timezone);
}

/** Loads what there is. Throws the signal's reason alone. */
export async function runLoads(
  work: LoadWork,
  { loads, days, replay }: { loads: LoadSettings[]; days: string[] | null; replay: boolean },
  progressOf: LoadsProgress,
  signal: AbortSignal,
): Promise<LoadResult[]> {
  const results: LoadResult[] = [];
  for (const settings of loads) {
    const progress = progressOf(settings.name);
    const totals = noTotals();
    const began = work.now();
    const about = () => ({ load: settings.name, totals, seconds: (work.now() - began) / 1000 });
    try {
      await runLoad(work, settings, { days: daysOf(settings, days, work.clock()), replay, totals }, progress, signal);
      results.push({ ...about(), state: totals.drops + totals.goneDrops > 0 ? 'loaded' : 'nothing' });
    } catch (error) {
      signal.throwIfAborted();
      work.log.debug({ load: settings.name, err: error }, 'failed');
      results.push({ ...about(), state: 'failed', error: toTidemarkError(error) });
    } finally {
      progress.ended();
    }
  }
  return results;
}

async function runLoad(
  { env, log, temporary, workers, step }: LoadWork,
  settings: LoadSettings,
  { days, totals }: { days: string[]; replay: boolean; totals: LoadTotals },
  progress: ReturnType<LoadsProgress>,
  signal: AbortSignal,
): Promise<void> {
  // The target first: what is wrong there is said before a byte is read.
  await using target = await Target.open(settings, env, log, signal);
  await using source = await openDropSource(settings, path.join(temporary, 'drops'));
  await using pool = await ParserPool.open(settings, workers);
  const inserts = Math.min(settings.connections, workers);
  await loadDrops({ source, pool, target, log, step }, { days, inserts, totals }, progress, signal);
}
