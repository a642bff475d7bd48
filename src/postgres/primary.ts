/**
 * The primary of a standby: what is open there, and how far the standby must be before its snapshot. Invariant: one
 * connection at most, on which only activity is read; every wait has a limit and the signal.
 */

import { sql } from 'kysely';
import type pg from 'pg';
import { TidemarkError } from '../model/error.ts';
import { disconnect } from './connect.ts';
import { systemOf } from './history.ts';
import { type Activity, readActivity } from './look.ts';
import { rowsOf } from './query.ts';

export type PrimaryOptions = {
  /** Opens a connection to the primary; has a time limit of its own. */
  connect: (signal: AbortSignal) => Promise<pg.Client>;
  /** How long the standby may take to replay what the primary had written, in milliseconds. */
  waitMs?: number;
};

const WAIT_MS = 60_000;
const ANSWER_MS = 30_000;

export class Primary implements AsyncDisposable {
  readonly #options: PrimaryOptions;
  #client: pg.Client | null = null;

  constructor(options: PrimaryOptions) {
    this.#options = options;
  }

  /**
   * What is under way on the primary. Resolves once `standby` has replayed everything that was committed there before it
   * looked: what a snapshot then does not see is in the activity, or began later. Throws STANDBY_LAGGING, CONFIG_INVALID
   * (another system), what connect throws, or the signal's reason.
   */
  async activity(standby: pg.ClientBase, signal: AbortSignal): Promise<Activity> {
    const { activity, lsn } = await this.#ask(standby, signal);
    await this.#replayed(standby, lsn, signal);
    return activity;
  }

  async #ask(standby: pg.ClientBase, signal: AbortSignal): Promise<{ activity: Activity; lsn: bigint }> {
    const client = this.#client ?? (await this.#open(standby, signal));
    const stop = () => client.connection.stream.destroy();
    const limit = setTimeout(stop, ANSWER_MS);
    signal.addEventListener('abort', stop);
    try {
      const activity = await readActivity(client, []);
      // After the activity: whoever was not in it any more had written its commit by then.
      const [{ lsn }] = await rowsOf(
        client,
        sql<{ lsn: string }>`select (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_catalog.pg_lsn)::text as lsn`,
      );
      return { activity, lsn: BigInt(lsn) };
    } catch (error) {
      this.#client = null;
      client.connection.stream.destroy();
      signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(limit);
      signal.removeEventListener('abort', stop);
    }
  }

  async #open(standby: pg.ClientBase, signal: AbortSignal): Promise<pg.Client> {
    const client = await this.#options.connect(signal);
    client.on('error', () => {
      if (this.#client === client) this.#client = null;
    });
    try {
      await requirePrimaryOf(standby, client);
    } catch (error) {
      await disconnect(client);
      throw error;
    }
    this.#client = client;
    return client;
  }

  async #replayed(standby: pg.ClientBase, lsn: bigint, signal: AbortSignal): Promise<void> {
    const wanted = String(endOfRecord(lsn));
    const limit = this.#options.waitMs ?? WAIT_MS;
    const began = performance.now();
    for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 200)) {
      const [{ there, behind }] = await rowsOf(
        standby,
        sql<{ there: boolean | null; behind: string | null }>`
          select lsn - '0/0'::pg_catalog.pg_lsn >= ${wanted}::numeric as there, (${wanted}::numeric - (lsn - '0/0'::pg_catalog.pg_lsn))::text as behind
          from pg_catalog.pg_last_wal_replay_lsn() lsn`,
      );
      if (there) return;
      if (performance.now() - began > limit) {
        throw new TidemarkError(
          'STANDBY_LAGGING',
          `the standby has not replayed within ${limit / 1000} s what its primary had written (${behind ?? 'all'} bytes are missing)`,
          {
            hint: 'is its replay paused or delayed (recovery_min_apply_delay), or held up by a query? Without source.primary a run does not wait, and looks back by `late`',
          },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      signal.throwIfAborted();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const client = this.#client;
    this.#client = null;
    if (client) await disconnect(client);
  }
}

async function requirePrimaryOf(standby: pg.ClientBase, client: pg.ClientBase): Promise<void> {
  const hint = 'correct source.primary, or leave it out';
  const [{ follows }] = await rowsOf(
    client,
    sql<{ follows: boolean }>`select pg_catalog.pg_is_in_recovery() as follows`,
  );
  if (follows) throw new TidemarkError('CONFIG_INVALID', 'source.primary is a standby, too', { hint });
  const [ours, theirs] = [await systemOf(client), await systemOf(standby)];
  if (ours === null || theirs === null || ours === theirs) return;
  const what = 'source.primary is not the primary of source.url: they are two systems';
  throw new TidemarkError('CONFIG_INVALID', what, { hint });
}

const PAGE = 8192n;
/** Of a page's header: longer at the beginning of a segment. */
const HEADERS = [24n, 40n];

/** A position behind a page's header is reached at the page's beginning: on a quiet primary no further record may come. */
export function endOfRecord(lsn: bigint): bigint {
  return HEADERS.includes(lsn % PAGE) ? lsn - (lsn % PAGE) : lsn;
}
