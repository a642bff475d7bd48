/** The source: its connections, and what is known of it. Invariant: a look at activity is shared only while it is fresh. */

import { sql } from 'kysely';
import type pg from 'pg';
import { ConnectionPool, type PoolOptions } from './connection-pool.ts';
import { type HistoryAsks, NO_HISTORY, whatServerTells } from './history.ts';
import { type Look, lookAtActivity, lookFromStandby, type Seen } from './look.ts';
import { Primary, type PrimaryOptions } from './primary.ts';
import { rowsOf } from './query.ts';
import { metBy } from './source-error.ts';
import { TypeCatalog } from './type-catalog.ts';

export type SourceOptions = PoolOptions & {
  statementTimeoutMs: number;
  /** Of a source that is a standby; with it a run is as exact there as on the primary. */
  primary?: PrimaryOptions | null;
};

/** What holds for the whole server and does not change under us. */
export type ServerFacts = { version: number; moneyScale: number; trustText: boolean; history: HistoryAsks };

/** How old a look at activity may be: an older one is right too, its floor is only lower. In milliseconds. */
const LOOK_FRESH_MS = 3_000;

export class Source implements AsyncDisposable {
  types = new TypeCatalog();
  readonly statementTimeoutMs: number;
  readonly #pool: ConnectionPool;
  readonly #primary: Primary | null;
  #facts: Promise<ServerFacts> | null = null;
  #asks: HistoryAsks = NO_HISTORY;
  #look: { taken: number; look: Promise<Look> } | null = null;
  /** Age of the oldest transaction of others at the last look; null: there was none, it is hidden, or nobody has looked. */
  oldestForeignSeconds: number | null = null;

  constructor(options: SourceOptions) {
    this.#pool = new ConnectionPool(options);
    this.#primary = options.primary ? new Primary(options.primary) : null;
    this.statementTimeoutMs = options.statementTimeoutMs;
  }

  /** As ConnectionPool.use(). */
  use<T>(work: (client: pg.Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#pool.use((client) => told(client, work), signal);
  }

  /** As ConnectionPool.useIfFree(). */
  useIfFree<T>(work: (client: pg.Client) => Promise<T>, signal: AbortSignal): Promise<T | null> {
    return this.#pool.useIfFree((client) => told(client, work), signal);
  }

  /** What was learned of the server is asked anew: a process that runs for months sees restores, upgrades and new types. */
  forget(): void {
    this.types = new TypeCatalog();
    this.#facts = null;
  }

  /** How many connections are open. */
  get opened(): number {
    return this.#pool.backends.length;
  }

  /** What holds for the server; asked once. */
  facts(signal: AbortSignal): Promise<ServerFacts> {
    this.#facts ??= this.use(readFacts, signal).then(
      (facts) => {
        this.#asks = facts.history;
        return facts;
      },
      (error) => {
        this.#facts = null;
        throw error;
      },
    );
    return this.#facts;
  }

  /**
   * A look at activity that is at most some seconds old, shared by the tables of a run. Must be taken outside a transaction,
   * and before the snapshot. `mark`: one at hand, whose seen ids are known to be
   * finished. facts() comes first: by it the mark's history is compared.
   */
  look(client: pg.ClientBase, mark: Seen['mark'], now: number, signal = new AbortController().signal): Promise<Look> {
    if (this.#look && now - this.#look.taken < LOOK_FRESH_MS) return this.#look.look;
    const began = performance.now();
    const look = this.#lookAnew(client, { mark, asks: this.#asks }, signal);
    const shared = { taken: now, look };
    this.#look = shared;
    look.then(
      ({ clock, oldestStart }) => {
        this.oldestForeignSeconds = oldestStart === null ? null : Number(clock - oldestStart) / 1e6;
        // A wait for a standby is no age: else the next table would wait again.
        shared.taken += performance.now() - began;
      },
      () => {
        if (this.#look === shared) this.#look = null;
      },
    );
    return look;
  }

  async #lookAnew(client: pg.ClientBase, seen: Seen, signal: AbortSignal): Promise<Look> {
    const primary = this.#primary;
    // Promoted meanwhile, it is its own primary.
    if (primary && (await isStandby(client)))
      return lookFromStandby(client, (standby) => primary.activity(standby, signal), seen);
    return lookAtActivity(client, this.#pool.backends, seen);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#primary?.[Symbol.asyncDispose]();
    await this.#pool[Symbol.asyncDispose]();
  }
}

async function told<T>(client: pg.Client, work: (client: pg.Client) => Promise<T>): Promise<T> {
  try {
    return await work(client);
  } catch (error) {
    throw metBy(error, client.user);
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
