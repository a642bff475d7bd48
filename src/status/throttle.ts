/** Slows down who guesses the token. Invariant: bounded, however many addresses guess. */

import { isIPv6 } from 'node:net';

/** Guesses that are free. */
const FREE = 5;
const FIRST_MS = 1_000;
const MOST_MS = 60_000;
const FORGET_MS = 15 * 60_000;
const ADDRESSES = 1_000;

type Guesses = { failed: number; at: number; until: number };

export class Throttle {
  readonly #guesses = new Map<string, Guesses>();

  /** Milliseconds until this address may guess again; 0: now. */
  waitOf(address: string, now: number): number {
    const known = this.#guesses.get(netOf(address));
    if (known) return Math.max(0, known.until - now);
    // Somebody with a thousand addresses gets no more guesses than they.
    return this.#full(now) ? FIRST_MS : 0;
  }

  failed(address: string, now: number): void {
    const net = netOf(address);
    const failed = (this.#guesses.get(net)?.failed ?? 0) + 1;
    const wait = failed < FREE ? 0 : Math.min(MOST_MS, FIRST_MS * 2 ** (failed - FREE));
    this.#guesses.set(net, { failed, at: now, until: now + wait });
  }

  succeeded(address: string): void {
    this.#guesses.delete(netOf(address));
  }

  #full(now: number): boolean {
    if (this.#guesses.size < ADDRESSES) return false;
    for (const [net, { at }] of this.#guesses) if (now - at > FORGET_MS) this.#guesses.delete(net);
    return this.#guesses.size >= ADDRESSES;
  }
}

/** One customer has a whole /64. */
function netOf(address: string): string {
  return isIPv6(address) && !address.includes('.') ? address.split(':').slice(0, 4).join(':') : address;
}
