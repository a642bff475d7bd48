/**
 * Hands out tables with their leases, in order. Invariant: only a few leases are held ahead of the work, so that a second
 * process finds something to do; each is renewed until it is put back.
 */

import type { Logger } from 'pino';
import { type KeepAlive, keepAlive } from '../state/keep-alive.ts';
import { type Acquired, type Held, type Lease, leaseLost, type Wanted } from '../state/leases.ts';
import type { StateStore } from '../state/state-store.ts';
import { type Settled, Settler } from './settle.ts';

/** `lost` fires, with LEASE_LOST, once another process has taken the lease over. */
export type Leased<T> = { item: T; found: Acquired; lost: AbortSignal };

export type LeaseTerms<T> = {
  wanted: (item: T) => Wanted;
  holder: string;
  leaseMs: number;
  onHeld: (item: T, held: Held) => void;
};

/** Leases taken in one round trip: a small part of what waits, down to one where little does or tables take long. */
const MOST_AHEAD = 10;
const PART_AHEAD = 40;

export class LeaseQueue<T> implements AsyncDisposable {
  readonly #state: StateStore;
  readonly #terms: LeaseTerms<T>;
  readonly #waiting: T[];
  readonly #ready: Leased<T>[] = [];
  readonly #lost = new Map<Lease, AbortController>();
  readonly #heartbeat: KeepAlive;
  readonly #settler: Settler;
  #taking: Promise<void> | null = null;

  constructor(state: StateStore, items: T[], terms: LeaseTerms<T>, log: Pick<Logger, 'warn'>) {
    this.#state = state;
    this.#waiting = [...items];
    this.#terms = terms;
    this.#settler = new Settler(state);
    this.#heartbeat = keepAlive(
      state,
      [],
      terms.leaseMs,
      (lease) => this.#lost.get(lease)?.abort(leaseLost(lease)),
      log,
    );
  }

  /** The next one, for put() afterwards; null when there is none, or the signal has fired. Throws STATE_*, FOLDER_CLASH. */
  async next(signal: AbortSignal): Promise<Leased<T> | null> {
    while (!signal.aborted && this.#ready.length === 0 && this.#waiting.length > 0) {
      this.#taking ??= this.#take(signal).finally(() => {
        this.#taking = null;
      });
      await this.#taking;
    }
    return signal.aborted ? null : (this.#ready.shift() ?? null);
  }

  async #take(signal: AbortSignal): Promise<void> {
    const { wanted, holder, leaseMs, onHeld } = this.#terms;
    const items = this.#waiting.splice(0, Math.min(MOST_AHEAD, Math.ceil(this.#waiting.length / PART_AHEAD)));
    const found = await this.#state.acquire('export', items.map(wanted), holder, leaseMs, signal).catch((error) => {
      // No other reader may go on with what is left.
      this.#waiting.length = 0;
      throw error;
    });
    for (const [i, got] of found.entries()) {
      if (got.state === 'held') {
        onHeld(items[i], got);
        continue;
      }
      const lost = new AbortController();
      this.#lost.set(got.lease, lost);
      this.#heartbeat.keep(got.lease);
      this.#ready.push({ item: items[i], found: got, lost: lost.signal });
    }
  }

  /** The work on it is over; its lease is given back soon, after `idle` is saved. */
  put({ found: { lease } }: Leased<T>, idle: Settled['idle']): void {
    this.#heartbeat.forget(lease);
    this.#lost.delete(lease);
    this.#settler.add({ lease, idle });
  }

  /** Resolves when every lease is given back; throws what went wrong with that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#waiting.length = 0;
    await this.#taking?.catch(() => {});
    for (const leased of this.#ready.splice(0)) this.put(leased, null);
    await this.#heartbeat[Symbol.asyncDispose]();
    await this.#settler[Symbol.asyncDispose]();
  }
}
