/**
 * The connections to the state store, as Kysely wants its pool. Invariant: never more than `max`; a connection that has
 * failed is never used again. pg.Pool is not it: it knows nothing of how we connect (TLS as libpq means it, our errors).
 */

import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type pg from 'pg';
import { disconnect } from '../postgres/connect.ts';

/** How long the answer to one statement may take: beyond the server's own limit, for a network that swallows everything. */
const ANSWER_MS = 40_000;
/** How long to wait for a connection that others use: all their statements have limits, so this is a defect's end. */
const TURN_MS = 120_000;

export class StateConnections implements PostgresPool {
  readonly options = {};
  readonly #open: () => Promise<pg.Client>;
  readonly #max: number;
  readonly #idle: Connection[] = [];
  readonly #waiting: ((connection: Connection | null) => void)[] = [];
  #opened = 0;
  #ended = false;
  /** Of the connection opened last, for hints; undefined while none ever was. */
  user: string | undefined;
  database: string | undefined;

  constructor(open: () => Promise<pg.Client>, max: number) {
    this.#open = open;
    this.#max = max;
  }

  async connect(): Promise<PostgresPoolClient> {
    if (this.#ended) throw new Error('the state store is closed');
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (!idle.broken) return idle;
      this.#opened--;
    }
    if (this.#opened >= this.#max) {
      const handed = await this.#turn();
      if (handed) return handed;
    } else {
      this.#opened++;
    }
    return this.#connect();
  }

  /** Another's connection once it is done with it; null: a place for a new one. */
  #turn(): Promise<Connection | null> {
    return new Promise((resolve, reject) => {
      const take = (connection: Connection | null) => {
        clearTimeout(limit);
        resolve(connection);
      };
      const limit = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        reject(new Error(`no connection to the state store became free in ${TURN_MS / 1000} s`));
      }, TURN_MS);
      this.#waiting.push(take);
    });
  }

  /** Opens one in a place that is counted already. */
  async #connect(): Promise<Connection> {
    try {
      const client = await this.#open();
      this.user = client.user;
      this.database = client.database;
      return new Connection(client, (connection) => this.#back(connection));
    } catch (error) {
      this.#pass(null);
      throw error;
    }
  }

  #back(connection: Connection): void {
    if (connection.broken || this.#ended) {
      connection.close();
      this.#pass(null);
    } else {
      this.#pass(connection);
    }
  }

  #pass(connection: Connection | null): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(connection);
    else if (connection) this.#idle.push(connection);
    else this.#opened--;
  }

  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#idle.splice(0).map((connection) => connection.close()));
  }
}

class Connection implements PostgresPoolClient {
  readonly #client: pg.Client;
  readonly #back: (connection: Connection) => void;
  broken = false;

  constructor(client: pg.Client, back: (connection: Connection) => void) {
    this.#client = client;
    this.#back = back;
    // An idle connection that the server ends emits `error`; without a listener that ends the process.
    client.on('error', () => {
      this.broken = true;
    });
    client.on('end', () => {
      this.broken = true;
    });
  }

  // Kysely's second overload is for cursors, of which we have none.
  readonly query = ((text: string, values: unknown[]) => this.#query(text, values)) as PostgresPoolClient['query'];

  async #query(text: string, values: unknown[]): Promise<unknown> {
    const limit = setTimeout(() => {
      this.broken = true;
      this.#client.connection.stream.destroy(new Error('the state store did not answer'));
    }, ANSWER_MS);
    try {
      return await this.#client.query(text, values);
    } finally {
      clearTimeout(limit);
    }
  }

  release(destroy?: boolean): void {
    if (destroy) this.broken = true;
    this.#back(this);
  }

  /** Never throws. */
  async close(): Promise<void> {
    if (this.broken) this.#client.connection.stream.destroy();
    else await disconnect(this.#client);
  }
}
