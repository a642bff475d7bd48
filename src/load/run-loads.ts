/** Several loads, one after another. Invariant: a load that fails does not stop the others. */

import path from 'node:path';
import type { Logger } from 'pino';
import { toTidemarkError } from '../model/error.ts';
import { claimDead, claimListed } from './claims.ts';
import { daysOfWindow } from './days.ts';
import { type LoadProgress, type LoadWork, loadDrops } from './load-drops.ts';
import { type LoadResult, noTotals } from './load-result.ts';
import { openDropSource } from './open-drop-source.ts';
import { ParserPool } from './parse/parser-pool.ts';
import { replayRejects } from './replay-rejects.ts';
import type { LoadSettings } from './settings.ts';
import { Target } from './target/target.ts';

const DAY_MS = 86_400_000;

export type LoadsDeps = {
  env: Record<string, string | undefined>;
  log: Logger;
  /** Where large objects lie while they are parsed. */
  temporary: string;
  /** Threads that parse, and batches that are inserted at once. */
  workers: number;
  /** Milliseconds since 1970, for the window of days; and of a clock that never steps back. */
  clock(): number;
  now(): number;
  /** A place where a test may stop the process. */
  step(name: string): Promise<void>;
};

export type LoadsProgress = (load: string) => LoadProgress & {
  /** Why loading waits; null: it goes on. */
  waiting(why: string | null): void;
  ended(): void;
};

/** `days`: of `--date`, null: each load's window. `replay`: dead drops and rejects instead of new drops. */
export type LoadsRequest = { loads: LoadSettings[]; days: string[] | null; replay: boolean };

/** The days that a load's pattern stands for. */
export function daysOf({ windowMs, timezone }: LoadSettings, days: string[] | null, nowMs: number): string[] {
  return days ?? daysOfWindow(nowMs, windowMs ?? DAY_MS, timezone);
}

/** Loads what there is. Throws the signal's reason alone. */
export async function runLoads(
  deps: LoadsDeps,
  { loads, days, replay }: LoadsRequest,
  progressOf: LoadsProgress,
  signal: AbortSignal,
): Promise<LoadResult[]> {
  const results: LoadResult[] = [];
  for (const settings of loads) {
    const progress = progressOf(settings.name);
    const totals = noTotals();
    const began = deps.now();
    const about = () => ({ load: settings.name, totals, seconds: (deps.now() - began) / 1000 });
    const work = { totals, progress, inserts: Math.min(settings.connections, deps.workers) };
    try {
      // Days that somebody names are listed from their beginning.
      const from = { days: daysOf(settings, days, deps.clock()), afterMs: days === null ? settings.afterMs : null };
      await runLoad(deps, settings, work, replay ? null : from, signal);
      const nothing = totals.drops + totals.goneDrops + totals.rowsIn === 0;
      results.push({ ...about(), state: nothing ? 'nothing' : 'loaded' });
    } catch (error) {
      signal.throwIfAborted();
      deps.log.debug({ load: settings.name, err: error }, 'failed');
      results.push({ ...about(), state: 'failed', error: toTidemarkError(error) });
    } finally {
      progress.ended();
    }
  }
  return results;
}

/** Null replays. */
type From = { days: string[]; afterMs: number | null } | null;

async function runLoad(
  { env, log: given, temporary, workers, step }: LoadsDeps,
  settings: LoadSettings,
  work: LoadWork & { progress: ReturnType<LoadsProgress> },
  from: From,
  signal: AbortSignal,
): Promise<void> {
  const { progress, inserts } = work;
  const log = given.child({ load: settings.name });
  // One more than insert: drops are claimed meanwhile.
  const options = { env, log, step, sessions: inserts + 1, waits: progress.waiting };
  // The target first: what is wrong there is said before a byte is read.
  await using target = await Target.open(settings, options, signal);
  try {
    await loadInto(target, settings, path.join(temporary, 'drops'), { log, workers, from, work }, signal);
  } catch (error) {
    if (!signal.aborted) await target.noteEnd(toTidemarkError(error), signal);
    throw error;
  }
  await target.noteEnd(null, signal);
}

async function loadInto(
  target: Target,
  settings: LoadSettings,
  folder: string,
  { log, workers, from, work }: Pick<LoadsDeps, 'log' | 'workers'> & { from: From; work: LoadWork },
  signal: AbortSignal,
): Promise<void> {
  await using source = await openDropSource(settings, folder);
  await using pool = await ParserPool.open(settings, workers);
  const deps = { source, pool, target, log };
  if (from !== null) {
    const { days, afterMs } = from;
    const list = (inner: AbortSignal) => {
      const start = afterMs === null ? undefined : (prefix: string) => target.doneThrough(prefix, afterMs, inner);
      return source.list(days, inner, start);
    };
    await loadDrops(deps, work, (inner) => claimListed(target, list(inner), work, inner), signal);
    return;
  }
  await replayRejects(deps, work, signal);
  await loadDrops(deps, work, (inner) => claimDead(target, work, inner), signal);
}
