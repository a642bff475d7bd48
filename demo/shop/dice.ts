/** Numbers, names and dates that look random. Invariant: the same at every start, but for dates, which follow the clock. */

import { ADJECTIVES, FIRST_NAMES, LAST_NAMES, NOUNS } from './words.ts';

const DAY_MS = 86_400_000;

export class Dice {
  #state: number;
  readonly #now: number;

  /** `now`: milliseconds since 1970; dates lie before it. */
  constructor(seed: number, now: number) {
    this.#state = seed;
    this.#now = now;
  }

  /** 0 <= x < 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)];
  }

  chance(of: number): boolean {
    return this.next() < of;
  }

  /** Twelve hexadecimal digits. */
  hex(): string {
    return Math.floor(this.next() * 2 ** 48)
      .toString(16)
      .padStart(12, '0');
  }

  /** `Quiet Harbour`. */
  phrase(): string {
    return `${this.pick(ADJECTIVES)} ${this.pick(NOUNS)}`;
  }

  person(): string {
    return `${this.pick(FIRST_NAMES)} ${this.pick(LAST_NAMES)}`;
  }

  /** An instant of the last two years. */
  moment(): string {
    return this.#before(730).toISOString();
  }

  day(yearsAgo: number): string {
    return this.#before(yearsAgo * 365)
      .toISOString()
      .slice(0, 10);
  }

  #before(days: number): Date {
    return new Date(this.#now - this.next() * days * DAY_MS);
  }
}
