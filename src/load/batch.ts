/** Drops that are loaded in one transaction. Invariant: a drop's number in its batch is its place in the listing. */

import type { ReadDrop } from './drop.ts';
import type { BatchDrop, Claimed } from './target/outcome.ts';

export type BatchLimits = { drops: number; bytes: number };

/** A transaction of many drops: what it costs by itself is shared, and what is lost with it is little. */
export const BATCH: BatchLimits = { drops: 500, bytes: 16 * 2 ** 20 };

/** How many bytes of rows a byte of a drop becomes, as far as is known: gzipped JSON becomes about five. */
export type Growth = { in: number; out: number };

export const FIRST_GROWTH: Growth = { in: 1, out: 5 };

export class Batch {
  readonly drops: BatchDrop[] = [];
  #rows = 0;
  #awaited = 0;
  readonly #left = new Set<number>();
  readonly #limits: BatchLimits;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  /** A number for the drop, which is going to be read. */
  expect(drop: Claimed): number {
    this.#awaited += drop.bytes;
    return this.drops.push({ drop, number: this.drops.length, read: { state: 'gone' } }) - 1;
  }

  came(number: number, read: ReadDrop, growth: Growth): void {
    const entry = this.drops[number];
    entry.read = read;
    const rows = read.state === 'parsed' ? read.rows.length : 0;
    this.#rows += rows;
    this.#awaited -= entry.drop.bytes;
    growth.in += entry.drop.bytes;
    growth.out += rows;
  }

  /** It will not be read now, and is not loaded. */
  without(number: number): void {
    this.#awaited -= this.drops[number].drop.bytes;
    this.#left.add(number);
  }

  /** What is to be loaded, in the order of the numbers. */
  get ready(): BatchDrop[] {
    return this.drops.filter(({ number }) => !this.#left.has(number));
  }

  /** Lets go of the rows at once: as garbage they would lie there until the next full collection. */
  release(): void {
    for (const { read } of this.drops) {
      if (read.state !== 'parsed') continue;
      const { buffer, byteLength } = read.rows;
      // A part of a buffer that others use, too, is not ours to take away.
      if (buffer.byteLength === byteLength) (buffer as ArrayBuffer).transfer(0);
    }
  }

  /** Whether another drop belongs into the next batch. */
  full(growth: Growth): boolean {
    const expected = this.#rows + this.#awaited * (growth.out / growth.in);
    return this.drops.length >= this.#limits.drops || expected >= this.#limits.bytes;
  }
}
