/**
 * The source's connections. Invariant: never more than `max` are open, each has one user at a time, and one whose state is in
 * doubt is closed, not handed on.
 */

import { sql } from 'kysely';
import type pg from 'pg';
import type { IdRange } from '../model/mark.ts';
import { disconnect } from './connect.ts';
import { type HistoryAsks, whatServerTells } from './history.ts';
import { type Look, lookAtActivity, lookFromStandby } from './look.ts';
import { Primary, type PrimaryOptions } from './primary.ts';
import { rowsOf } from './query.ts';
import { TypeCatalog } from './type-catalog.ts';

export type SourceOptions = {
  /** Opens one connection; has a time limit of its own. */
  connect: (signal: AbortSignal) => Promise<pg.Client>;
  max: number;
  statementTimeoutMs: number;
  /** Of a source that is a standby; with it a run is as exact there as on the primary. */
  primary?: PrimaryOptions | null;
};

/** What holds for the whole server and does not change under us. */
export type ServerFacts = { version: number; moneyScale: number; trustText: boolean; history: HistoryAsks };

/** How old a look at activity may be: an older one is right too, its floor is only lower. In milliseconds. */
const LOOK_FRESH_MS = 3_000;

type Open = { client: pg.Client; pid: number };

export class Source implements AsyncDisposable {
  readonly types = new TypeCatalog();
  readonly statementTimeoutMs: number;
  readonly #options: SourceOptions;
  readonly #primary: Primary | null;
  readonly #idle: Open[] = [];
  readonly #open = new Set<Open>();
  readonly #waiting: (() => void)[] = [];
  #opening = 0;
  #facts: Promise<ServerFacts> | null = null;
  #look: { taken: number; look: Promise<Look> } | null = null;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#primary = options.primary ? new Primary(options.primary) : null;
    this.statementTimeoutMs = options.statementTimeoutMs;
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
      if (sound) this.#idle.push(open);
      else await this.#close(open);
      this.#waiting.shift()?.();
    }
  }

  async #take(signal: AbortSignal): Promise<Open> {
    for (;;) {
      signal.throwIfAborted();
      const free = this.#takeFree(signal);
      if (free) return free;
      await this.#turn(signal);
    }
  }

  /** An idle connection, or a new one; null, at once, when all are in use. */
  #takeFree(signal: AbortSignal): Promise<Open> | null {
    const idle = this.#idle.pop();
    if (idle) return Promise.resolve(idle);
    return this.#open.size + this.#opening < this.#options.max ? this.#connect(signal) : null;
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

  async #connect(signal: AbortSignal): Promise<Open> {
    this.#opening++;
    try {
      const client = await this.#options.connect(signal);
      const open: Open = { client, pid: (client as unknown as { processID: number }).processID };
      this.#open.add(open);
      client.on('error', () => this.#forget(open));
      return open;
    } catch (error) {
      // Whoever waits has a place to try now; nobody else may be left to wake it.
      this.#waiting.shift()?.();
      throw error;
    } finally {
      this.#opening--;
    }
  }

  #forget(open: Open): void {
    this.#open.delete(open);
    const at = this.#idle.indexOf(open);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  async #close(open: Open): Promise<void> {
    this.#forget(open);
    await disconnect(open.client);
  }

  /** How many connections are open. */
  get opened(): number {
    return this.#open.size;
  }

  /** What holds for the server; asked once. */
  facts(signal: AbortSignal): Promise<ServerFacts> {
    this.#facts ??= this.use(readFacts, signal).catch((error) => {
      this.#facts = null;
      throw error;
    });
    return this.#facts;
  }

  /**
   * A look at activity that is at most some seconds old, shared by the tables of a run. Must be taken outside a transaction,
   * and before the snapshot. `seen`: ids known to be finished from the marks at hand.
   */
  look(client: pg.ClientBase, seen: IdRange[], now: number, signal = new AbortController().signal): Promise<Look> {
    if (this.#look && now - this.#look.taken < LOOK_FRESH_MS) return this.#look.look;
    const began = performance.now();
    const look = this.#lookAnew(client, seen, signal);
    const shared = { taken: now, look };
    this.#look = shared;
    look.then(
      () => {
        // A wait for a standby is no age: else the next table would wait again.
        shared.taken += performance.now() - began;
      },
      () => {
        if (this.#look === shared) this.#look = null;
      },
    );
    return look;
  }

  async #lookAnew(client: pg.ClientBase, seen: IdRange[], signal: AbortSignal): Promise<Look> {
    const primary = this.#primary;
    // Promoted meanwhile, it is its own primary.
    if (primary && (await isStandby(client)))
      return lookFromStandby(client, (standby) => primary.activity(standby, signal), seen);
    const ours = [...this.#open].map(({ pid }) => pid);
    return lookAtActivity(client, ours, seen);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#primary?.[Symbol.asyncDispose]();
    await Promise.all([...this.#open].map((open) => this.#close(open)));
  }
}

async function isStandby(client: pg.ClientBase): Promise<boolean> {
  const [{ standby }] = await rowsOf(
    client,
    sql<{ standby: boolean }>`select pg_catalog.pg_is_in_recovery() as standby`,
  );
  return standby;
}

async function readFacts(client: pg.ClientBase): Promise<ServerFacts> {
  const [row] = await rowsOf(
    client,
    sql<{ version: string; money: number; encoding: string }>`
      select pg_catalog.current_setting('server_version_num') as version, pg_catalog.scale(0::money::numeric) as money,
        pg_catalog.current_setting('server_encoding') as encoding`,
  );
  const history = await whatServerTells(client);
  return { version: Number(row.version), moneyScale: row.money, trustText: row.encoding !== 'SQL_ASCII', history };
}
