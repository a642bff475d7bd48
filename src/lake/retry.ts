/** Tries again, within a budget. Invariant: an abort ends an attempt or a sleep at once, and every attempt has a limit. */

import { setTimeout as delay } from 'node:timers/promises';
import type { RetryLimits, RetryTools } from './settings.ts';

/** `slow`: the server asked for less. `unreachable`: no connection came about, nothing was sent. */
export type Verdict = 'retry' | 'slow' | 'unreachable' | 'fail';

export const RETRY_LIMITS: RetryLimits = {
  attempts: 10,
  totalMs: 120_000,
  baseMs: 100,
  capMs: 10_000,
  attemptMs: 30_000,
};

export const RETRY_TOOLS: RetryTools = {
  random: Math.random,
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, { signal });
  },
};

// A wrong endpoint must fail while its user still looks at the screen; a server that answered before gets the whole budget.
const ATTEMPTS_BEFORE_FIRST_ANSWER = 4;

/** An attempt that took longer than its limit. */
export class AttemptTimeout extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
    this.name = 'AttemptTimeout';
  }
}

/** Whether an attempt may follow the `failed`th (1, 2 …) one, that ended `elapsedMs` after the first began. */
export function mayRetry(verdict: Verdict, failed: number, elapsedMs: number, answered: boolean, limits: RetryLimits) {
  if (verdict === 'fail' || elapsedMs >= limits.totalMs) return false;
  if (verdict === 'unreachable' && !answered) return failed < Math.min(ATTEMPTS_BEFORE_FIRST_ANSWER, limits.attempts);
  return failed < limits.attempts;
}

/** Milliseconds before the next attempt: exponential with full jitter, so that many clients do not come back together. */
export function backoffMs(verdict: Verdict, failed: number, random: number, limits: RetryLimits): number {
  const base = verdict === 'slow' ? limits.baseMs * 5 : limits.baseMs;
  return random * Math.min(limits.capMs, base * 2 ** (failed - 1));
}

// A timer past 2^31 ms fires at once.
const LONGEST_ATTEMPT_MS = 6 * 3_600_000;

/** How long an attempt that moves so many bytes may take: a second more for each 256 KiB. */
export function attemptLimitMs(bytes: number, limits: RetryLimits): number {
  return Math.min(LONGEST_ATTEMPT_MS, limits.attemptMs + Math.ceil(bytes / (256 * 1024)) * 1000);
}

/** Runs attempts until one succeeds or the budget is used up; then throws the last attempt's error as it was. */
export async function retry<T>(
  attempt: (number: number) => Promise<T>,
  judge: (error: unknown) => { verdict: Verdict; answered: boolean },
  limits: RetryLimits,
  tools: RetryTools,
  signal: AbortSignal,
): Promise<T> {
  const start = tools.now();
  for (let number = 1; ; number++) {
    try {
      return await attempt(number);
    } catch (error) {
      signal.throwIfAborted();
      const { verdict, answered } = judge(error);
      if (!mayRetry(verdict, number, tools.now() - start, answered, limits)) throw error;
      await sleepOrAbort(backoffMs(verdict, number, tools.random(), limits), tools, signal);
    }
  }
}

async function sleepOrAbort(ms: number, tools: RetryTools, signal: AbortSignal): Promise<void> {
  try {
    await tools.sleep(ms, signal);
  } catch (error) {
    // The caller's own reason, not the timer's AbortError.
    signal.throwIfAborted();
    throw error;
  }
}

/** Runs one attempt; rejects with AttemptTimeout after `ms` and with the signal's reason at once, whatever `run` still does. */
export function within<T>(ms: number, signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const inner = new AbortController();
  const stop = (reason: unknown) => {
    reject(reason);
    inner.abort(reason);
  };
  const onAbort = () => stop(signal.reason);
  const timer = setTimeout(() => stop(new AttemptTimeout(ms)), ms);
  signal.addEventListener('abort', onAbort, { once: true });
  const done = () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  };
  // Credential look-ups ignore the signal: the promise is settled here, not by them.
  run(inner.signal).then(resolve, reject);
  return promise.finally(done);
}
