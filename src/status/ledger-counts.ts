/** The loads' counts for the first page and the metrics. Invariant: nobody waits for a target; each is asked seldom, and for one at a time. */

import type { LoadSettings } from '../load/settings.ts';
import { type Env, readTotals } from './ledger-look.ts';

const FRESH_MS = 30_000;
const SOON_MS = 1_000;
/** Of the time at most one part in so many goes into asking. */
const SHARE = 50;

/** What the first page shows. `done`: drops that were loaded, null: too many to count quickly. */
export type LoadCounts = { done: number | null; dead: number; rejects: number };

type Kept = { counts: LoadCounts | null; nextAt: number; asking: boolean };

/** The loads' counts for the first page and the metrics, some seconds old; asked for behind the back of who wants them. */
export class LedgerCounts {
  readonly #env: Env;
  readonly #signal: AbortSignal;
  readonly #tell: () => void;
  readonly #kept = new Map<string, Kept>();

  /** `tell`: counts have changed. `signal` ends what is asked. */
  constructor(env: Env, tell: () => void, signal: AbortSignal) {
    this.#env = env;
    this.#tell = tell;
    this.#signal = signal;
  }

  /** As they were last told; null: the target has not answered. */
  get(load: LoadSettings): LoadCounts | null {
    const kept = this.#kept.get(load.name) ?? { counts: null, nextAt: 0, asking: false };
    this.#kept.set(load.name, kept);
    if (!kept.asking && performance.now() >= kept.nextAt) void this.#ask(load, kept);
    return kept.counts;
  }

  /** A run of the load has ended: its counts are asked for soon. */
  ended(name: string): void {
    const kept = this.#kept.get(name);
    if (kept) kept.nextAt = Math.min(kept.nextAt, performance.now() + SOON_MS);
  }

  async #ask(load: LoadSettings, kept: Kept): Promise<void> {
    kept.asking = true;
    const began = performance.now();
    try {
      const { dead, rejects, sums } = await readTotals(load, this.#env, this.#signal);
      const counts = { done: sums?.loaded ?? null, dead, rejects };
      const changed = JSON.stringify(kept.counts) !== JSON.stringify(counts);
      kept.counts = counts;
      if (changed) this.#tell();
    } catch {
      // The daemon's own load meets the same error and says it on the board.
    } finally {
      const now = performance.now();
      kept.nextAt = now + Math.max(FRESH_MS, (now - began) * SHARE);
      kept.asking = false;
    }
  }
}
