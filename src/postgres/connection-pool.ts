/**
 * Connections to one server. Invariant: never more than `max` are open, and none without its place among those of all
 * processes; each has one user at a time, and one whose state is in doubt is closed, not handed on.
 */

import type pg from 'pg';
import { disconnect } from './connect.ts';

export type PoolOptions = {
  /** Opens one connection; has a time limit of its own. */
  connect: (signal: AbortSignal) => Promise<pg.Client>;
  max: number;
  /** Where connections of all processes are counted; by default nowhere. */
  places?: Places | null;
};

export type Places = {
  /** A place for one connection, to be taken before it is opened; null: none is free now. */
  take(signal: AbortSignal): Promise<Place | null>;
  /** How long a process waits for its first place, in milliseconds; null: until the signal. */
  patienceMs: number | null;
  /** What it throws then. */
  refused(): Error;
};

/**
 * `lost`: another process has the place by now. `wanted`: another one that has no connection waits for it. Give it back after
 * the connection was closed; that never throws.
 */
export type Place = { readonly lost: boolean; readonly wanted: boolean; give(): Promise<void> };

/** After so long without a user a connection is closed, for other processes and for the server. In milliseconds. */
const IDLE_MS = 3_000;

/** How long until a place is asked for again when all were taken; a little more at random, so that processes take turns. */
const AGAIN_MS = 300;
const GIVE_WAY_MS = 1_000;

type Open = { client: pg.Client; pid: number; place: Place | null; idle: NodeJS.Timeout | undefined };

export class ConnectionPool implements AsyncDisposable {
  readonly #options: PoolOptions;
  readonly #idle: Open[] = [];
  readonly #open = new Set<Open>();
  readonly #waiting: (() => void)[] = [];
  readonly #givingBack = new Set<Promise<void>>();
  #opening = 0;
  #hadOne = false;
  /** Set while it is too early to ask for a place again. */
  #again: NodeJS.Timeout | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * Lends a connection to `work`, waiting for one when all are in use. A connection on which `work` failed is closed. The
   * signal ends whatever it waits for there, a lock that somebody holds too; then its reason is thrown.
   */
  async use<T>(work: (client: pg.Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#lend(await this.#take(signal), work, signal);
  }

  /**
   * As use(), but only with a connection that nobody else wants now: one that is idle, or a new one within `max` while nobody
   * waits. Resolves to null at once (without a call of `work`) when there is none. For helpers of a work that goes on without
   * them too; one that waited for its helpers would wait for ever.
   */
  async useIfFree<T>(work: (client: pg.Client) => Promise<T>, signal: AbortSignal): Promise<T | null> {
    signal.throwIfAborted();
    const open = this.#waiting.length > 0 ? null : await this.#takeFree(signal);
    return open && (await this.#lend(open, work, signal));
  }

  async #lend<T>(open: Open, work: (client: pg.Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    let sound = false;
    const stop = () => open.client.connection.stream.destroy();
    signal.addEventListener('abort', stop);
    try {
      const result = await work(open.client);
      sound = !signal.aborted;
      return result;
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      if (sound && !open.place?.lost && !open.place?.wanted) this.#keep(open);
      else await this.#giveWay(open);
      this.#wake();
    }
  }

  /** Closes it; asked for again at once, a wanted place would be taken back before whoever waits has asked for it. */
  async #giveWay(open: Open): Promise<void> {
    if (open.place?.wanted) this.#askAgainLater(GIVE_WAY_MS);
    await this.#close(open);
  }

  async #take(signal: AbortSignal): Promise<Open> {
    const until = performance.now() + (this.#options.places?.patienceMs ?? Number.POSITIVE_INFINITY);
    for (;;) {
      const free = this.#takeFree(signal);
      const open = free && (await free);
      if (open) return open;
      // While a place was asked for, somebody may have been done with a connection.
      if (this.#idle.length > 0) continue;
      if (!this.#hadOne && performance.now() > until) {
        this.#wake();
        throw this.#options.places!.refused();
      }
      await this.#turn(signal);
      if (!signal.aborted) continue;
      this.#wake();
      signal.throwIfAborted();
    }
  }

  /** An idle connection, or a new one; null, at once, when all are in use. The promise is of null when other processes have all places. */
  #takeFree(signal: AbortSignal): Promise<Open | null> | null {
    signal.throwIfAborted();
    const idle = this.#idle.pop();
    if (idle) {
      clearTimeout(idle.idle);
      return Promise.resolve(idle);
    }
    const mayOpen = this.#open.size + this.#opening < this.#options.max && this.#again === undefined;
    return mayOpen ? this.#connect(signal) : null;
  }

  #wake(): void {
    this.#waiting.shift()?.();
  }

  /** Resolves when a connection may be free, or at the signal. */
  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        // Left in the queue, it would eat the wake-up of somebody who still waits.
        this.#waiting.splice(this.#waiting.indexOf(wake), 1);
        resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(wake);
    });
  }

  async #connect(signal: AbortSignal): Promise<Open | null> {
    this.#opening++;
    let place: Place | null = null;
    try {
      const { places, connect } = this.#options;
      if (places) {
        place = await places.take(signal);
        if (!place) {
          this.#askAgainLater();
          return null;
        }
      }
      const client = await connect(signal);
      const open: Open = {
        client,
        place,
        pid: (client as unknown as { processID: number }).processID,
        idle: undefined,
      };
      this.#open.add(open);
      this.#hadOne = true;
      client.on('error', () => {
        this.#unlist(open);
        void this.#gone(open);
      });
      return open;
    } catch (error) {
      await place?.give();
      throw error;
    } finally {
      this.#opening--;
      // Whoever waits may have a place to try now; nobody else may be left to wake it.
      if (this.#again === undefined) this.#wake();
    }
  }

  #askAgainLater(ms = AGAIN_MS): void {
    this.#again ??= setTimeout(
      () => {
        this.#again = undefined;
        this.#wake();
      },
      ms * (1 + Math.random()),
    );
  }

  #keep(open: Open): void {
    open.idle = setTimeout(() => void this.#close(open), IDLE_MS);
    this.#idle.push(open);
  }

  async #close(open: Open): Promise<void> {
    this.#unlist(open);
    await disconnect(open.client);
    await this.#gone(open);
  }

  #unlist(open: Open): void {
    clearTimeout(open.idle);
    const at = this.#idle.indexOf(open);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** The server has closed it, or will not hear of it again: another one may be opened. */
  async #gone(open: Open): Promise<void> {
    if (!this.#open.delete(open)) return;
    const given = open.place?.give();
    if (given) {
      this.#givingBack.add(given);
      await given;
      this.#givingBack.delete(given);
    }
    this.#wake();
  }

  /** Process ids of our own backends on the server. */
  get backends(): number[] {
    return [...this.#open].map(({ pid }) => pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#again);
    await Promise.all([...this.#open].map((open) => this.#close(open)));
    // Those of connections that broke, or were broken off by a signal: nobody else waits for them.
    await Promise.all(this.#givingBack);
  }
}
