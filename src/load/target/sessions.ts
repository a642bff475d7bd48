/**
 * This process's connections to the target. Invariants: a connection has one user at a time; over every process and machine no
 * more than the cap are at work, and one that finds the cap reached leaves again at once.
 */

import type pg from 'pg';
import { disconnect } from '../../postgres/connect.ts';
import type { Ledger } from './ledger.ts';
import type { Waiting } from './outcome.ts';

/** What pg_stat_activity shows of a connection that counts. */
const APPLICATION = 'tidemark load';
/** And of one that asks for a place. */
export const KNOCKING = 'tidemark load asks';
/** Class of the advisory lock within which places are counted. */
const DOOR = 0x74696465;
/** A connection that nobody has used for so long gives its place to other processes. */
const IDLE_MS = 2_000;
/** Between two questions for a place. */
const ASK_MS = 100;
/** Who gave a place up lets others ask first. */
const AFTER_YOU_MS = 400;
/** Waiting is said from here on. */
const LONG_MS = 1_000;

export type SessionOptions = {
  /** Opens one connection, named KNOCKING. */
  connect: (signal: AbortSignal) => Promise<pg.Client>;
  /** The most of this process. */
  max: number;
  /** The most of all. */
  cap: number;
  ledger: Ledger;
  waits: (reason: Waiting) => void;
};

type Session = { client: pg.Client; broken: boolean; timer: NodeJS.Timeout | undefined };

export class Sessions implements AsyncDisposable {
  readonly #options: SessionOptions;
  readonly #idle: Session[] = [];
  readonly #open = new Set<Session>();
  readonly #queue: (() => void)[] = [];
  #knocking = false;
  #notBefore = 0;
  #yields = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Takes over a connection that was opened for something else, if there is a place for it. */
  async adopt(client: pg.Client): Promise<void> {
    const session = await this.#admitted(client);
    if (session) this.#back(session);
  }

  /** Another process waits for a place: the next connection that becomes free is closed. */
  yieldPlace(): void {
    this.#yields = true;
  }

  /**
   * Runs `work` on a connection of its own. After an error the connection is closed: nobody knows what it is in the middle
   * of. Throws what connect and `work` throw, or the signal's reason, which cuts the work off.
   */
  async use<T>(work: (client: pg.Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    const session = await this.#take(signal);
    const stop = () => session.client.connection.stream.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      signal.throwIfAborted();
      return await work(session.client);
    } catch (error) {
      session.broken = true;
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      if (this.#yields && !session.broken) {
        this.#yields = false;
        session.broken = true;
        this.#notBefore = performance.now() + AFTER_YOU_MS;
      }
      if (session.broken) await this.#close(session);
      else this.#back(session);
    }
  }

  async #take(signal: AbortSignal): Promise<Session> {
    const started = performance.now();
    let said = false;
    for (;;) {
      signal.throwIfAborted();
      for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
        clearTimeout(idle.timer);
        if (idle.broken) continue;
        if (said) this.#options.waits(null);
        return idle;
      }
      const now = performance.now();
      if (!this.#knocking && this.#open.size < this.#options.max && now >= this.#notBefore) {
        const session = await this.#knock(signal);
        if (session && said) this.#options.waits(null);
        if (session) return session;
      } else {
        await this.#turn(ASK_MS);
      }
      if (!said && this.#open.size === 0 && performance.now() - started > LONG_MS) {
        said = true;
        this.#options.waits(`other processes use all ${this.#options.cap} connections to the target`);
      }
    }
  }

  async #knock(signal: AbortSignal): Promise<Session | null> {
    this.#knocking = true;
    try {
      const session = await this.#admitted(await this.#options.connect(signal));
      if (!session) {
        // Who has others goes on with them, and need not ask so often.
        const pause = this.#open.size > 0 ? 10 * ASK_MS : ASK_MS * (0.5 + Math.random());
        this.#notBefore = performance.now() + pause;
      }
      return session;
    } finally {
      this.#knocking = false;
    }
  }

  /** Counts under a lock, so that two who come at once do not both get the last place. Null: none is free; it is closed. */
  async #admitted(client: pg.Client): Promise<Session | null> {
    try {
      const { cap, ledger } = this.#options;
      await client.query(`begin; set local lock_timeout = '10s'; set local statement_timeout = '20s'`);
      const pooled = await isPooled(client);
      let free = pooled;
      if (!pooled) {
        await client.query('select pg_catalog.pg_advisory_xact_lock($1, 0)', [DOOR]);
        const { rows } = await client.query<{ n: number }>(
          `select count(*)::int4 as n from pg_catalog.pg_stat_activity
           where datname = current_database() and application_name = $1 and pid <> pg_backend_pid()`,
          [APPLICATION],
        );
        free = rows[0].n < cap;
        if (free) await client.query(NAMED);
      }
      // Whoever has connections already is served by those in time.
      if (this.#open.size === 0) await ledger.wait(client, !free);
      await client.query('commit');
      if (!free) {
        await disconnect(client);
        return null;
      }
    } catch (error) {
      client.connection.stream.destroy();
      throw error;
    }
    const session: Session = { client, broken: false, timer: undefined };
    this.#open.add(session);
    client.on('end', () => {
      session.broken = true;
      this.#open.delete(session);
    });
    return session;
  }

  #back(session: Session): void {
    if (session.broken) return;
    session.timer = setTimeout(() => {
      session.broken = true;
      void this.#close(session);
    }, IDLE_MS);
    session.timer.unref();
    this.#idle.push(session);
    this.#queue.shift()?.();
  }

  async #close(session: Session): Promise<void> {
    clearTimeout(session.timer);
    const at = this.#idle.indexOf(session);
    if (at >= 0) this.#idle.splice(at, 1);
    await disconnect(session.client);
    this.#open.delete(session);
    this.#queue.shift()?.();
  }

  /** Until a connection may be free, or some time is over. */
  #turn(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(limit);
        resolve();
      };
      const limit = setTimeout(() => {
        // Left in the queue, it would eat the wake-up of somebody who still waits.
        this.#queue.splice(this.#queue.indexOf(wake), 1);
        resolve();
      }, ms);
      this.#queue.push(wake);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open].map((session) => this.#close(session)));
  }
}

// A machine that vanished must not keep its place: the server notices by itself.
const NAMED = `set application_name = '${APPLICATION}'; set idle_session_timeout = '5min';
  set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3`;

/** A pooler gives us now this connection, now that: the server's sessions are then the pooler's, and it limits them. */
async function isPooled(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ pid: number }>('select pg_catalog.pg_backend_pid() as pid');
  return rows[0].pid !== (client as unknown as { processID: number }).processID;
}
