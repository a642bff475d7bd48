/**
 * Transactions on the state store. Invariant: each is durable once it returned, holds to limits, and can be repeated; so a
 * lost connection, whose last transaction may or may not have been committed, is answered by doing it again.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import type { Logger } from 'pino';
import type { StateConnections } from './connections.ts';
import type { StateTables } from './schema.ts';
import { stateError, worthRepeating } from './state-error.ts';

/** Waits before each repeat, in milliseconds. */
const WAITS = [50, 250, 1_000, 3_000];

/** `oneSnapshot`: all statements see the same, as of the first one. */
export type Limits = { lockMs: number; statementMs: number; oneSnapshot?: true };
const LIMITS: Limits = { lockMs: 10_000, statementMs: 20_000 };
export const READING: Limits = { ...LIMITS, oneSnapshot: true };

/** An open transaction; `db` names the schema by itself, raw SQL takes its tables from tableIn(schema, …). */
export type StateTx = { db: Transaction<StateTables>; schema: string };

export class StateDatabase implements AsyncDisposable {
  readonly schema: string;
  readonly log: Logger;
  readonly #connections: StateConnections;
  readonly #kysely: Kysely<StateTables>;

  constructor(connections: StateConnections, schema: string, log: Logger) {
    this.schema = schema;
    this.log = log;
    this.#connections = connections;
    this.#kysely = new Kysely<StateTables>({ dialect: new PostgresDialect({ pool: connections }) });
  }

  /**
   * Runs `work` in one transaction, again when that may help: it must lead to the same end however often it is committed.
   * `doing` completes "the state store failed to …". The signal ends waiting, never a transaction on its way.
   * Throws STATE_*, and what `work` throws.
   */
  async transact<T>(
    doing: string,
    work: (tx: StateTx) => Promise<T>,
    signal?: AbortSignal,
    limits = LIMITS,
  ): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await this.#once(work, limits);
      } catch (error) {
        const wait = WAITS[attempt];
        // What could never be reached is wrong in the configuration more often than down for a moment.
        const reached = this.#connections.user !== undefined;
        if (wait === undefined || !reached || !worthRepeating(error)) throw stateError(error, doing, this.place());
        this.log.warn({ err: error, attempt }, `state store: ${doing} is tried again`);
        await sleep(wait, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Where it is and as whom, for hints. */
  place(): { schema: string; user?: string; database?: string } {
    return { schema: this.schema, user: this.#connections.user, database: this.#connections.database };
  }

  #once<T>(work: (tx: StateTx) => Promise<T>, limits: Limits): Promise<T> {
    // The database's or role's defaults may be others: serializable, read-only, not durable.
    return this.#kysely
      .transaction()
      .setIsolationLevel(limits.oneSnapshot ? 'repeatable read' : 'read committed')
      .setAccessMode('read write')
      .execute(async (trx) => {
        await settings(limits).execute(trx);
        return work({ db: trx.withSchema(this.schema), schema: this.schema });
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kysely.destroy();
    await this.#connections.end();
  }
}

// For this transaction only, not for the session: behind a pooler the session is somebody else's next.
function settings({ lockMs, statementMs }: Limits) {
  const set = (name: string, value: string) => sql`pg_catalog.set_config(${name}, ${value}, true)`;
  return sql`select ${sql.join([
    // Off, a commit could be forgotten in a crash after its files became visible.
    set('synchronous_commit', 'on'),
    set('lock_timeout', `${lockMs}ms`),
    set('statement_timeout', `${statementMs}ms`),
    // A process that stops in the middle must not keep the lease's row locked.
    set('idle_in_transaction_session_timeout', '30s'),
    // Somebody's function called clock_timestamp must not be found before Postgres's own.
    set('search_path', 'pg_catalog, pg_temp'),
  ])}`;
}
