/** When what failed is tried again. Pure; `random` is from 0 up to 1. */

export const FIRST_MS = 10_000;
export const LONGEST_MS = 900_000;
/** What failed so often in a row is tried rarely. */
export const SLOW_AFTER = 5;
export const SLOW_MS = 3_600_000;
/** While a server is away it is asked at least so often, for everything waits for it. */
export const AWAY_MS = 30_000;

/** Milliseconds to wait after the `times`th failure in a row (1, 2 …). */
export function retryAfter(times: number, random: number): { ms: number; slow: boolean } {
  const slow = times >= SLOW_AFTER;
  const ms = slow ? SLOW_MS : Math.min(LONGEST_MS, FIRST_MS * 2 ** (times - 1));
  return { ms: spread(ms, random), slow };
}

/** Milliseconds before a server that is away is asked again, the `times`th time (1, 2 …). */
export function askAgainAfter(times: number, random: number): number {
  return spread(Math.min(AWAY_MS, 1_000 * 2 ** Math.min(times - 1, 10)), random);
}

// A tenth more or less: what failed together would come back together, for ever.
function spread(ms: number, random: number): number {
  return Math.round(ms * (0.9 + 0.2 * random));
}
