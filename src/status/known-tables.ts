/** What the state store says of the tables, for many readers. Invariant: one question at a time, and none within a second of the last. */

import type { StateStore } from '../state/state-store.ts';
import type { TableStatus } from '../state/tables.ts';

const FRESH_MS = 1_000;
/** Of the time at most one part in so many goes into asking. */
const SHARE = 20;
/** A state store that is away is asked for some seconds; a page shows what was known before. */
const PATIENCE_MS = 2_000;

/** `tables` null: nothing is known yet. `at`: when it was so, in milliseconds since 1970. */
export type Known = { tables: TableStatus[] | null; at: number };

export class KnownTables {
  readonly #state: Pick<StateStore, 'status'>;
  readonly #clock: () => number;
  #known: Known = { tables: null, at: 0 };
  #asking: Promise<void> | null = null;
  #nextAt = 0;

  constructor(state: Pick<StateStore, 'status'>, clock: () => number) {
    this.#state = state;
    this.#clock = clock;
  }

  /** As of at most a second ago, or a while longer where the state store is slow or away. */
  async get(): Promise<Known> {
    if (performance.now() >= this.#nextAt) this.#asking ??= this.#ask();
    if (this.#asking === null) return this.#known;
    const patience = this.#known.tables === null ? 5 * PATIENCE_MS : PATIENCE_MS;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patience);
    });
    await Promise.race([this.#asking, limit]);
    clearTimeout(timer);
    return this.#known;
  }

  async #ask(): Promise<void> {
    const began = performance.now();
    try {
      const tables = await this.#state.status();
      this.#known = { tables, at: this.#clock() };
    } catch {
      // The daemon meets the same error and says it on the board.
    } finally {
      const now = performance.now();
      this.#nextAt = now + Math.max(FRESH_MS, (now - began) * SHARE);
      this.#asking = null;
    }
  }
}
