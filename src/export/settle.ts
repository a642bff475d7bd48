/**
 * Ends the work on tables in the state store, many at once: a thousand idle tables must not cost a thousand transactions.
 * Invariant: an idle table's mark is saved before its lease is given back.
 */

import type { Mark } from '../model/mark.ts';
import type { WrittenColumn } from '../model/run.ts';
import type { Lease } from '../state/leases.ts';
import type { StateStore } from '../state/state-store.ts';

export type Settled = { lease: Lease; idle: { mark: Mark; columns: WrittenColumn[] } | null };

const MOST_AT_ONCE = 100;
const LATEST_MS = 150;

export class Settler implements AsyncDisposable {
  readonly #state: Pick<StateStore, 'saveIdle' | 'release'>;
  #waiting: Settled[] = [];
  #timer: NodeJS.Timeout | undefined;
  #last: Promise<void> = Promise.resolve();
  #error: unknown = null;

  constructor(state: Pick<StateStore, 'saveIdle' | 'release'>) {
    this.#state = state;
  }

  /** Notes that the work on a table is over; soon afterwards the state store knows. */
  add(settled: Settled): void {
    this.#waiting.push(settled);
    if (this.#waiting.length >= MOST_AT_ONCE) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), LATEST_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    this.#last = this.#last
      .then(() => this.#save(batch))
      .catch((error) => {
        this.#error ??= error;
      });
  }

  async #save(batch: Settled[]): Promise<void> {
    const idle = batch.flatMap(({ lease, idle }) => (idle ? [{ lease, ...idle }] : []));
    // A lease lost meanwhile: the mark stays where its new holder has it.
    if (idle.length > 0) await this.#state.saveIdle(idle);
    await this.#state.release(batch.map(({ lease }) => lease));
  }

  /** Resolves when everything added is saved; throws what went wrong in between. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#flush();
    await this.#last;
    if (this.#error) throw this.#error;
  }
}
