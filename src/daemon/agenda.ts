/**
 * What is to be done, and when. Pure: time is given to it. Invariant: a piece of work is under way at most once; what was missed is due
 * once, not once for each time that was missed.
 */

import { type TidemarkError, toTidemarkError } from '../model/error.ts';
import { AWAY_MS, retryAfter } from './backoff.ts';
import type { Asked, How, Work, WorkKind } from './board.ts';
import type { Schedule } from './cron.ts';

/** What there is to do; `lastAt`: when it was last done, null: never. */
export type Planned = { name: string; schedule: Schedule | null; lastAt: number | null };

/** `firedAt`: the moment for which it is due; null: somebody asked for it, whatever was done before. `replay`: and how. */
export type Due = Work & { firedAt: number | null; replay: boolean };

/**
 * `skipped`: another process did it. `held`: another process has it; `until`: when to try again, null: as scheduled.
 */
export type Outcome =
  | { state: 'done' | 'nothing' | 'skipped' }
  | { state: 'held'; until: number | null }
  | { state: 'failed'; error: unknown };

export type Failing = { times: number; since: number; retryAt: number; slow: boolean; error: TidemarkError };

type Item = Work & {
  schedule: Schedule | null;
  /** By the schedule; null: never. */
  dueAt: number | null;
  /** Sooner than that, because something asks for it. */
  soonAt: number | null;
  /** For the next time; while it is under way, `under` is how it was asked for. */
  asked: How | null;
  under: How | null;
  startedAt: number | null;
  failing: Failing | null;
};

export type ItemView = { running: boolean; nextAt: number | null; failing: Failing | null };

/** The lease of a table goes back a moment after its work ended; begun again before that it would be held by ourselves. */
const PAUSE_MS = 500;
/** A clock that goes back further was set. */
const SET_BACK_MS = 60_000;

const IDLE = { asked: null, under: null, startedAt: null };

const keyOf = ({ kind, name }: Work) => `${kind} ${name}`;

export class Agenda {
  readonly #items = new Map<string, Item>();
  readonly #random: () => number;
  #now = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /**
   * This is now all there is of a kind; returns what is there no more. What is known already keeps its state; what is new is due at once when
   * it was never done, or a time of its schedule has passed since.
   */
  plan(kind: WorkKind, planned: Planned[], now: number): Work[] {
    const names = new Set(planned.map(({ name }) => name));
    const gone = [...this.#items.values()].filter((item) => item.kind === kind && !names.has(item.name));
    for (const item of gone) this.#items.delete(keyOf(item));
    for (const { name, schedule, lastAt } of planned) {
      const known = this.#items.get(keyOf({ kind, name }));
      if (known) {
        const next = schedule?.next(now) ?? null;
        // A new schedule counts from now on; what is due stays due.
        if (known.dueAt === null || next === null || known.dueAt > now) known.dueAt = next;
        known.schedule = schedule;
        continue;
      }
      const dueAt = schedule && (lastAt === null ? now : schedule.next(Math.min(lastAt, now)));
      const item: Item = { kind, name, schedule, dueAt, soonAt: null, ...IDLE, failing: null };
      this.#items.set(keyOf(item), item);
    }
    return gone.map(({ kind, name }) => ({ kind, name }));
  }

  /** What is to begin now: what was asked for first, then what has been due for longest. */
  due(kind: WorkKind, now: number): Due[] {
    this.#clockSet(now);
    return [...this.#items.values()]
      .filter((item) => item.kind === kind && item.startedAt === null && (nextAt(item) ?? Infinity) <= now)
      .sort((a, b) => nextAt(a)! - nextAt(b)!)
      .map((item) => ({
        kind,
        name: item.name,
        firedAt: item.asked ? null : nextAt(item),
        replay: item.asked?.replay ?? false,
      }));
  }

  start(work: Work, now: number): void {
    const item = this.#items.get(keyOf(work));
    if (item) Object.assign(item, { startedAt: now, soonAt: null, under: item.asked, asked: null });
  }

  end(work: Work, outcome: Outcome, now: number): void {
    const item = this.#items.get(keyOf(work));
    if (!item) return;
    const started = item.startedAt ?? now;
    item.startedAt = null;
    item.under = null;
    const next = item.schedule?.next(started) ?? null;
    item.dueAt = next === null ? null : Math.max(next, now + PAUSE_MS);
    if (outcome.state === 'failed') {
      item.failing = this.#failed(item.failing, outcome.error, now);
      return;
    }
    if (outcome.state !== 'held') item.failing = null;
    else if (outcome.until !== null) item.soonAt = Math.max(outcome.until, now + PAUSE_MS);
    if (item.failing) item.failing.retryAt = Math.max(item.soonAt ?? item.dueAt ?? now, now + PAUSE_MS);
  }

  /** It was not done after all, and that says nothing about it: it is still due, in `ms`. */
  putOff(work: Work, now: number, ms: number): void {
    const item = this.#items.get(keyOf(work));
    if (!item) return;
    item.startedAt = null;
    item.asked ??= item.under;
    item.under = null;
    item.soonAt = now + ms;
    if (item.failing) item.failing.retryAt = now + ms;
  }

  /** It is due at `at` unless it is sooner. While it is under way this is about the next time. */
  hasten(work: Work, at: number): void {
    const item = this.#items.get(keyOf(work));
    if (item) item.soonAt = Math.min(item.soonAt ?? Infinity, at);
  }

  /** Somebody wants it now: its retry wait is cut short. A replay is not what is under way otherwise, so it waits for its end. */
  ask(work: Work, how: How = { replay: false }): Asked {
    const item = this.#items.get(keyOf(work));
    if (!item) return 'unknown';
    if (item.startedAt !== null && (!how.replay || item.under?.replay)) return 'running';
    item.asked = how;
    return 'queued';
  }

  /** What fails is tried again now: what was wrong with it may be mended. Returns what that is. */
  retryAll(now: number): Work[] {
    const failing = [...this.#items.values()].filter((item) => item.failing !== null);
    for (const item of failing) {
      // What is under way began before that: it is done again.
      if (item.startedAt !== null) item.asked ??= { replay: false };
      else item.failing!.retryAt = Math.min(item.failing!.retryAt, now);
    }
    return failing.map(({ kind, name }) => ({ kind, name }));
  }

  /** It was done elsewhere at `at`: a failure before that is over. Returns whether there was one. */
  doneElsewhere(work: Work, at: number): boolean {
    const item = this.#items.get(keyOf(work));
    if (!item?.failing || item.startedAt !== null || at <= item.failing.since) return false;
    item.failing = null;
    return true;
  }

  /** When something is due next that is not due yet; null: nothing ever. */
  nextAt(now: number): number | null {
    let soonest: number | null = null;
    for (const item of this.#items.values()) {
      const at = item.startedAt === null ? nextAt(item) : null;
      if (at !== null && at > now && (soonest === null || at < soonest)) soonest = at;
    }
    return soonest;
  }

  view(work: Work): ItemView | null {
    const item = this.#items.get(keyOf(work));
    return item ? { running: item.startedAt !== null, nextAt: nextAt(item), failing: item.failing } : null;
  }

  works(): Work[] {
    return [...this.#items.values()].map(({ kind, name }) => ({ kind, name }));
  }

  #failed(before: Failing | null, thrown: unknown, now: number): Failing {
    const times = (before?.times ?? 0) + 1;
    const error = toTidemarkError(thrown);
    const { ms, slow } = retryAfter(times, error.code, this.#random());
    return { times, since: before?.since ?? now, retryAt: now + ms, slow, error };
  }

  // Left as they are, all times would lie ahead by as much as the clock went back.
  #clockSet(now: number): void {
    if (now < this.#now - SET_BACK_MS) {
      for (const item of this.#items.values()) {
        const sooner = (at: number | null) => (at === null ? null : Math.min(at, item.schedule?.next(now) ?? now));
        item.dueAt = sooner(item.dueAt);
        item.soonAt = sooner(item.soonAt);
        if (item.startedAt !== null) item.startedAt = now;
        if (item.failing) item.failing.retryAt = Math.min(item.failing.retryAt, now + AWAY_MS);
      }
    }
    this.#now = now;
  }
}

function nextAt({ asked, failing, dueAt, soonAt }: Item): number | null {
  // Before all that the clock makes due.
  if (asked) return 0;
  if (failing) return failing.retryAt;
  if (dueAt === null || soonAt === null) return dueAt ?? soonAt;
  return Math.min(dueAt, soonAt);
}
