/** Spreads what is due at the same time. Pure: a name has the same delay in every process and after each start. */

import type { Schedule } from './cron.ts';

const MOST_MS = 30_000;
const PART = 10;
/** More would make many small batches of one large one, each with its own round trips. */
const SLOTS = 4;

/** The schedule with a delay of up to a tenth of the time between two of its times, and of half a minute. */
export function jittered(schedule: Schedule, name: string, now: number): Schedule {
  const first = schedule.next(now);
  const second = first === null ? null : schedule.next(first);
  if (first === null || second === null) return schedule;
  const delay = jitterMs(name, second - first);
  if (delay === 0) return schedule;
  return {
    next(after) {
      const at = schedule.next(after - delay);
      return at === null ? null : at + delay;
    },
  };
}

export function jitterMs(name: string, periodMs: number): number {
  const most = Math.min(MOST_MS, periodMs / PART);
  return most < 1_000 ? 0 : Math.floor(((hash(name) % SLOTS) * most) / SLOTS);
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  // Its lowest bits alone are those of the last letters.
  return (value ^ (value >>> 15)) >>> 0;
}
