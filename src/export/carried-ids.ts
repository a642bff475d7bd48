/** The transaction ids that a run's rows carry, as far as the next mark must remember them. */

import type { IdRange } from '../model/mark.ts';

export class CarriedIds {
  readonly #xmax: bigint;
  readonly #xmaxLow: number;
  readonly #span: number;
  /** Finished ids, as distances below xmax: [nearest, furthest] pairs, nearest first. */
  readonly #finished: { nearest: number; furthest: number }[];
  readonly #found = new Set<number>();
  /** No row carries 0; 4294967295, as an int32 -1, is an id like others. */
  #last = 0;

  /** `finished` are known already: a writer that stays open for hours would else leave us millions of ids in memory. */
  constructor(snapshot: { xmin: bigint; xmax: bigint }, finished: IdRange[]) {
    this.#xmax = snapshot.xmax;
    this.#xmaxLow = Number(snapshot.xmax & 0xffff_ffffn) | 0;
    this.#span = Number(snapshot.xmax - snapshot.xmin);
    this.#finished = finished
      .filter((range) => range.to > snapshot.xmin && range.from < snapshot.xmax)
      .map((range) => ({ nearest: Number(snapshot.xmax - range.to) + 1, furthest: Number(snapshot.xmax - range.from) }))
      .sort((a, b) => a.nearest - b.nearest);
  }

  /** The rows' xmin fields, four bytes each, at `at[from + i]`. */
  add(view: DataView, at: Int32Array, from: number, rows: number): void {
    // Nothing was open: every id lies below the snapshot's xmin.
    if (this.#span === 0) return;
    for (let i = 0; i < rows; i++) {
      const id = view.getInt32(at[from + i]);
      if (id === this.#last) continue;
      this.#last = id;
      const below = (this.#xmaxLow - id) >>> 0;
      if (below > 0 && below <= this.#span && !this.#isFinished(below)) this.#found.add(below);
    }
  }

  #isFinished(below: number): boolean {
    let [low, high] = [0, this.#finished.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const range = this.#finished[middle];
      if (below < range.nearest) high = middle - 1;
      else if (below > range.furthest) low = middle + 1;
      else return true;
    }
    return false;
  }

  /** 64 bits wide, in no order. */
  ids(): bigint[] {
    return [...this.#found].map((below) => this.#xmax - BigInt(below));
  }
}
