/** Time that passes only when everybody sleeps. */

import type { Clock } from '../../../src/daemon/clock.ts';

export type FakeClock = Clock & {
  /** Lets time pass up to `at`: wakes sleepers in the order of their times, and lets each act before the next. */
  runTo(at: number): Promise<void>;
  sleepers(): number;
};

export function fakeClock(start = 0): FakeClock {
  let now = start;
  let sleepers: { at: number; wake: () => void }[] = [];
  // What a sleeper does takes some turns of the event loop, no time.
  const settle = async () => {
    for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    now: () => now,
    sleep(ms, signal) {
      return new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const sleeper = { at: now + Math.max(0, ms), wake: () => end() };
        const end = () => {
          sleepers = sleepers.filter((each) => each !== sleeper);
          signal.removeEventListener('abort', end);
          resolve();
        };
        signal.addEventListener('abort', end);
        sleepers.push(sleeper);
      });
    },
    async runTo(at) {
      await settle();
      for (;;) {
        const first = sleepers.toSorted((a, b) => a.at - b.at)[0];
        if (!first || first.at > at) break;
        now = Math.max(now, first.at);
        first.wake();
        await settle();
      }
      now = at;
    },
    sleepers: () => sleepers.length,
  };
}
