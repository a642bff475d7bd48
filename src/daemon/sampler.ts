/** Once a minute: how late the tables are, and what was exported in that minute. */

import type { ExportedMinute } from '../state/daemon-work.ts';
import type { Board, Sample } from './board.ts';
import type { Clock } from './clock.ts';

export class Sampler {
  readonly #deps: { board: Board; clock: Clock; exportedAt: () => ReadonlyMap<string, number> };
  #rows = 0;
  #bytes = 0;

  /** `exportedAt`: when each table was last exported, in milliseconds since 1970. */
  constructor(deps: { board: Board; clock: Clock; exportedAt: () => ReadonlyMap<string, number> }) {
    this.#deps = deps;
  }

  add(rows: number, bytes: number): void {
    this.#rows += rows;
    this.#bytes += bytes;
  }

  sample(): void {
    const { board, clock, exportedAt } = this.#deps;
    const now = clock.now();
    const lags = [...exportedAt().values()].map((at) => Math.max(0, (now - at) / 1000)).sort((a, b) => a - b);
    board.sample({
      at: now,
      maxLagSeconds: lags.at(-1) ?? 0,
      medianLagSeconds: lags[Math.floor(lags.length / 2)] ?? 0,
      rows: this.#rows,
      bytes: this.#bytes,
    });
    this.#rows = 0;
    this.#bytes = 0;
  }
}

const MINUTE = 60_000;

/**
 * Samples of the time before the daemon started, from the first minute in which anything was exported: minutes without a run were idle. Their
 * lag is not known: of a look that found nothing only the last one is noted.
 */
export function pastSamples(minutes: readonly ExportedMinute[], now: number): Sample[] {
  const byMinute = new Map(minutes.map((each) => [each.at, each]));
  const samples: Sample[] = [];
  const unknown = { maxLagSeconds: null, medianLagSeconds: null };
  for (let at = minutes[0]?.at ?? now; at < now; at += MINUTE) {
    const { rows, bytes } = byMinute.get(at) ?? { rows: 0, bytes: 0 };
    samples.push({ at: Math.min(at + MINUTE, now), ...unknown, rows, bytes });
  }
  return samples;
}
