/** Shows how far a load is: a live line on a terminal, else a log line now and then. */

import type { Logger } from 'pino';
import type { LoadProgress } from '../load/load-drops.ts';
import type { LoadTotals } from '../load/load-result.ts';
import { formatCount, formatSeconds } from '../model/format.ts';
import type { Screen } from './screen.ts';

/** Without a terminal a load that takes long is reported this often, in milliseconds. */
const LOG_EVERY_MS = 10_000;

export type ShownProgress = LoadProgress & {
  /** Why loading waits; null: it goes on. */
  waiting(why: string | null): void;
  ended(): void;
};

type State = {
  listed: number;
  all: boolean;
  done: number;
  totals: LoadTotals | null;
  waiting: string | null;
};

/** `now`: milliseconds of a clock that never steps back. */
export function loadProgress(load: string, screen: Screen | null, log: Logger, now: () => number): ShownProgress {
  const state: State = { listed: 0, all: false, done: 0, totals: null, waiting: null };
  const began = now();
  let logged = began;
  const show = () => {
    screen?.draw([progressLine(load, state, (now() - began) / 1000)]);
    if (screen || now() - logged < LOG_EVERY_MS) return;
    logged = now();
    const { done, listed, totals } = state;
    log.info({ load, drops: done, of: listed, rows: totals?.rowsIn, rejected: totals?.rowsRejected }, 'loading');
  };
  return {
    listed(drops) {
      if (drops === null) state.all = true;
      else state.listed += drops;
      show();
    },
    done(drops, totals) {
      state.done += drops;
      state.totals = totals;
      show();
    },
    waiting(why) {
      if (why !== null && why !== state.waiting) log.info({ load, why }, 'waiting');
      state.waiting = why;
      show();
    },
    ended() {
      screen?.draw([]);
    },
  };
}

/** `events  3,500 of 10,000 drops  412,000 rows/s  12 rejects  about 12 s left`. */
function progressLine(load: string, { listed, all, done, totals, waiting }: State, seconds: number): string {
  const { rowsIn = 0, rowsRejected = 0, known = 0 } = totals ?? {};
  const taken = done - known;
  // Known drops take no time: they would promise an early end.
  const left = taken > 0 && done < listed ? (seconds * (listed - done)) / taken : null;
  return [
    load,
    `${formatCount(done)} of ${all ? '' : 'at least '}${formatCount(listed)} drops`,
    ...(rowsIn > 0 ? [`${formatCount(Math.round(rowsIn / Math.max(seconds, 0.001)))} rows/s`] : []),
    ...(rowsRejected > 0 ? [`${formatCount(rowsRejected)} rejects`] : []),
    ...(left === null ? [] : [`about ${formatSeconds(left)} left`]),
    ...(waiting === null ? [] : [`waiting: ${waiting}`]),
  ].join('  ');
}
