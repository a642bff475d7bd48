/** When what failed is tried again. Pure; `random` is from 0 up to 1. */

import type { ErrorCode } from '../model/error.ts';

const FIRST_MS = 10_000;
const LONGEST_MS = 900_000;
/** What failed so often in a row is tried rarely. */
const SLOW_AFTER = 5;
const SLOW_MS = 3_600_000;
/** While a server is away it is asked at least so often, for everything waits for it. */
export const AWAY_MS = 30_000;

/** A server that fails is no fault of the work: it comes back, and then nobody wants to wait for an hour. */
const SERVER_MS = 60_000;
const SERVERS: readonly ErrorCode[] = [
  'SOURCE_LOST',
  'STATE_UNREACHABLE',
  'STATE_FAILED',
  'TARGET_UNREACHABLE',
  'TARGET_READ_ONLY',
  'TARGET_FAILED',
  'LAKE_UNREACHABLE',
  'LAKE_FAILED',
  // Somebody frees space, and then a day's lag is to be caught up with.
  'LAKE_FULL',
];

/** Trying again reads every key of the table, and somebody has to look at it first. */
const RARELY: readonly ErrorCode[] = ['RECONCILE_MANY'];

/** Milliseconds to wait after the `times`th failure in a row (1, 2 …), the last one with this code. */
export function retryAfter(times: number, code: ErrorCode, random: number): { ms: number; slow: boolean } {
  const isServer = SERVERS.includes(code);
  const slow = (times >= SLOW_AFTER && !isServer) || RARELY.includes(code);
  const most = isServer ? SERVER_MS : LONGEST_MS;
  const ms = slow ? SLOW_MS : Math.min(most, FIRST_MS * 2 ** Math.min(times - 1, 10));
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
