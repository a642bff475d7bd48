/**
 * How many batches may be loaded at once while the target is slow. Invariant: at least one; fewer at once, more again one by
 * one. Pure, but for Pressure itself, which waits.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Budget } from '../settings.ts';
import type { Waiting } from './outcome.ts';

/** What the target looks like. `lagMs`: of its slowest standby, null: none, or hidden. `lockWaits`: sessions that wait for locks. */
export type Look = { lagMs: number | null; lockWaits: number };

export type PressureState = {
  budget: Budget;
  max: number;
  allowed: number;
  /** Milliseconds a megabyte: the best so far, and the last few. */
  best: number;
  last: number[];
  look: Look;
};

/** Batches that take so many times as long as the best are no sign of pressure. */
const FINE = 2;
const KEPT = 4;
/** Smaller batches say little of speed. */
const LEAST_BYTES = 64 * 1024;

export function firstPressure(max: number, budget: Budget): PressureState {
  return { budget, max, allowed: max, best: Number.POSITIVE_INFINITY, last: [], look: { lagMs: null, lockWaits: 0 } };
}

/** After a batch of `bytes` that took `ms`. */
export function afterBatch(state: PressureState, bytes: number, ms: number): PressureState {
  if (bytes < LEAST_BYTES) return state;
  const speed = ms / (bytes / 2 ** 20);
  const last = [...state.last, speed].slice(-KEPT);
  // Slowly forgotten: a table that has grown is slower for good.
  const best = Math.min(state.best * 1.02, speed);
  const typical = [...last].sort((a, b) => a - b)[Math.floor(last.length / 2)];
  // With several at once each is slower: that alone is no pressure.
  const fair = best * Math.max(1, state.allowed);
  let { allowed } = state;
  if (last.length === KEPT && typical > state.budget.slower * fair) allowed = Math.max(1, allowed - 1);
  else if (typical < FINE * fair) allowed = Math.min(state.max, allowed + 1);
  // A new number of them is judged by batches of its own.
  return { ...state, best, allowed, last: allowed < state.allowed ? [] : last };
}

/** Why nothing more is to be started while `running` are under way; null: go on. */
export function waitsFor(state: PressureState, running: number): Waiting {
  const { budget, look } = state;
  const { lagMs, lockWaits } = look;
  if (lagMs !== null && lagMs > budget.lagMs) return `a standby of the target is ${Math.round(lagMs / 1000)} s behind`;
  // One goes on: the locks may be ours, and wait for nothing else.
  if (lockWaits > budget.lockWaits && running > 0) return `${lockWaits} sessions of the target wait for locks`;
  if (running >= state.allowed && state.allowed < state.max)
    return `the target is slow: ${state.allowed} of ${state.max} batches at once`;
  return running >= state.max ? 'as many as there may be are being loaded' : null;
}

const LOOK_MS = 2_000;
const AGAIN_MS = 200;

/** Lets batches in one by one. */
export class Pressure {
  #state: PressureState;
  #running = 0;
  #lookedAt = 0;
  readonly #look: (signal: AbortSignal) => Promise<Look>;
  readonly #waits: (reason: Waiting) => void;

  constructor(
    max: number,
    budget: Budget,
    look: (signal: AbortSignal) => Promise<Look>,
    waits: (reason: Waiting) => void,
  ) {
    this.#state = firstPressure(max, budget);
    this.#look = look;
    this.#waits = waits;
  }

  /** Runs `work` when the target has room for it. */
  async run<T>(bytes: number, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#enter(signal);
    const started = performance.now();
    try {
      const result = await work();
      this.#state = afterBatch(this.#state, bytes, performance.now() - started);
      return result;
    } finally {
      this.#running--;
    }
  }

  /** Counts it as running, without a pause in which another would slip in. */
  async #enter(signal: AbortSignal): Promise<void> {
    let said = false;
    for (;;) {
      signal.throwIfAborted();
      if (performance.now() - this.#lookedAt > LOOK_MS && this.#running < this.#state.allowed) {
        this.#lookedAt = performance.now();
        this.#state = { ...this.#state, look: await this.#look(signal) };
      }
      const reason = waitsFor(this.#state, this.#running);
      if (reason === null) {
        if (said) this.#waits(null);
        this.#running++;
        return;
      }
      if (this.#running < this.#state.max && !said) {
        said = true;
        this.#waits(reason);
      }
      await sleep(this.#running < this.#state.max ? AGAIN_MS : 10, undefined, { signal }).catch(() => {});
    }
  }
}
