/**
 * The target database of one load, as this process sees it. Invariants: a drop's rows, rejects and ledger line are one
 * transaction; loading transactions hold a slot of the cap; every call can be repeated, and is, when that may help.
 */

import { randomUUID } from 'node:crypto';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import { type TidemarkError, toTidemarkError } from '../../model/error.ts';
import { connect } from '../../postgres/connect.ts';
import type { Drop } from '../drop.ts';
import type { LoadSettings } from '../settings.ts';
import { describeTarget } from './describe.ts';
import { Ledger } from './ledger.ts';
import { migrateLedger } from './ledger-migrate.ts';
import { type BatchWork, loadBatch } from './load-batch.ts';
import { lookAtLoad } from './look-at-load.ts';
import type {
  BatchDrop,
  BatchOutcome,
  Claimed,
  Originals,
  ReplayBatch,
  ReplayOutcome,
  StoredReject,
  Waiting,
} from './outcome.ts';
import { planColumns } from './plan-columns.ts';
import { Pressure } from './pressure.ts';
import type { PutInto } from './put-rows.ts';
import { readRejects, replayBatch } from './replay.ts';
import { KNOCKING, Sessions } from './sessions.ts';
import { beginWithSlot } from './slot.ts';
import { targetError, worthRepeating } from './target-error.ts';

export type TargetOptions = {
  env: Record<string, string | undefined>;
  log: Logger;
  /** The most connections of this process; never more than settings.connections. */
  sessions: number;
  /** Hears why loading waits, and null when it goes on. */
  waits?: (reason: Waiting) => void;
  /** A place where a test may stop the process. */
  step?: (name: string) => Promise<void>;
};

/** A third of the time after which others take our drops over. */
const BEAT_MS = 20_000;
/** Waits before each repeat, in milliseconds: a restart of the server takes its time. */
const REPEATS = [50, 200, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];
const SLOT_MS = 50;

export class Target implements AsyncDisposable {
  readonly #settings: LoadSettings;
  readonly #options: TargetOptions;
  readonly #ledger: Ledger;
  readonly #sessions: Sessions;
  readonly #pressure: Pressure;
  readonly #into: PutInto;
  readonly #totals = { rowsIn: 0, rejected: 0 };
  readonly #closing = new AbortController();
  #beating: Promise<void> = Promise.resolve();
  readonly #timer: NodeJS.Timeout;

  /**
   * Connects, creates or upgrades the ledger, and checks that the load fits its table. Throws TARGET_*, CONFIG_INVALID, or
   * the signal's reason.
   */
  static async open(settings: LoadSettings, options: TargetOptions, signal: AbortSignal): Promise<Target> {
    const open = (until: AbortSignal) =>
      connect({ role: 'target', ...settings.target, env: options.env, applicationName: KNOCKING }, until);
    const client = await open(signal);
    const ledger = new Ledger(
      settings.name,
      settings.ledgerSchema,
      randomUUID(),
      `${os.hostname()} pid ${process.pid}`,
    );
    try {
      const from = await migrateLedger(client, settings.ledgerSchema);
      if (from === 0) options.log.info({ schema: settings.ledgerSchema }, 'ledger created in the target');
      const types = settings.columns.map(({ type }) => type);
      const plan = planColumns(settings, await describeTarget(client, settings.into, types));
      await ledger.beat(client);
      const max = Math.max(1, Math.min(settings.connections, options.sessions));
      const waits = options.waits ?? (() => {});
      const sessions = new Sessions({ connect: open, max, cap: settings.connections, ledger, waits });
      await sessions.adopt(client);
      const { into, onConflict } = settings;
      const put: PutInto = { plan, into, onConflict, suspects: new Map(), meetsKnown: false };
      return new Target(settings, options, ledger, sessions, put, max);
    } catch (error) {
      const why = targetError(error, 'prepare the load', settings.into, client.user);
      if (!signal.aborted) await noteAtOnce(ledger, client, why);
      client.connection.stream.destroy();
      signal.throwIfAborted();
      throw why;
    }
  }

  private constructor(
    settings: LoadSettings,
    options: TargetOptions,
    ledger: Ledger,
    sessions: Sessions,
    into: PutInto,
    max: number,
  ) {
    this.#settings = settings;
    this.#options = options;
    this.#ledger = ledger;
    this.#sessions = sessions;
    this.#into = into;
    const look = (signal: AbortSignal) => this.#try('look at the load', (client) => lookAtLoad(client), signal);
    this.#pressure = new Pressure(max, settings.budget, look, options.waits ?? (() => {}));
    this.#timer = setInterval(() => {
      this.#beating = this.#beat();
    }, BEAT_MS);
    this.#timer.unref();
  }

  /**
   * Of a page of drops those that are ours to load: new ones, ones with other content than the ledger knows, and ones whose
   * claimer died. One statement. They stay ours while this process lives.
   */
  async claim(drops: Drop[], signal: AbortSignal): Promise<Claimed[]> {
    if (drops.length === 0) return [];
    const claim = randomUUID();
    const claimed = await this.#try(
      'claim drops',
      (client) => short(client, () => this.#ledger.claim(client, drops, claim)),
      signal,
    );
    const overwritten = claimed.filter((drop) => drop.overwritten && drop.attempt === 1);
    for (const { key } of overwritten.slice(0, 20)) {
      const stay =
        this.#settings.onConflict === 'nothing'
          ? '; under on_conflict: nothing, rows that are there already stay as they are'
          : '';
      this.#options.log.warn({ drop: key }, `the drop is not as it was when it was loaded, and is read again${stay}`);
    }
    return claimed;
  }

  /** The greatest key below the prefix that was done with `ms` ago, with nothing unfinished before it; null: there is none. */
  async doneThrough(prefix: string, ms: number, signal: AbortSignal): Promise<string | null> {
    return this.#try(
      'look how far drops are done',
      (client) => short(client, () => this.#ledger.doneThrough(client, prefix, ms)),
      signal,
    );
  }

  /** Up to `limit` dead drops, to be loaded again; none twice in this process's life. Empty: there are no more. */
  async claimDead(limit: number, signal: AbortSignal): Promise<Claimed[]> {
    const claim = randomUUID();
    return this.#try(
      'claim dead drops',
      (client) => short(client, () => this.#ledger.claimDead(client, limit, claim)),
      signal,
    );
  }

  /**
   * Loads the drops of a batch in one transaction, once there is room. Resolves when it is durable, as far as the server's
   * synchronous_commit goes; after an error the batch is loaded or not as a whole, and loading it again is safe. Throws
   * LOAD_REJECTS, TARGET_*, what `originals` throws, or the signal's reason.
   */
  async load(batch: BatchDrop[], originals: Originals, signal: AbortSignal): Promise<BatchOutcome> {
    if (batch.length === 0) return { drops: [] };
    const bytes = batch.reduce((sum, { read }) => sum + (read.state === 'parsed' ? read.rows.length : 0), 0);
    const work: BatchWork = {
      settings: this.#settings,
      ledger: this.#ledger,
      into: this.#into,
      totals: this.#totals,
      step: this.#options.step ?? (async () => {}),
    };
    return this.#pressure.run(
      bytes,
      () => this.#inSlot('load a batch', (client) => loadBatch(client, work, batch, originals, signal), signal),
      signal,
    );
  }

  /** Notes that this attempt of the load has ended; null: it did not fail. Never throws: what is loaded is loaded. */
  async noteEnd(error: TidemarkError | null, signal: AbortSignal): Promise<void> {
    await this.#sessions
      .use((client) => this.#ledger.noteEnd(client, error), AbortSignal.any([signal, AbortSignal.timeout(NOTE_MS)]))
      .catch((err: unknown) => this.#options.log.debug({ err }, 'the end of the load was not noted'));
  }

  /** Gives claims back; those of a process that has ended are free anyway. */
  async release(drops: Claimed[]): Promise<void> {
    if (drops.length > 0)
      await this.#try('release claims', (client) => this.#ledger.release(client, drops), this.#closing.signal);
  }

  /** A page of rejects that wait for a replay, in the order of their ids. `after`: '0', then the last one's id. */
  async rejects(after: string, limit: number, signal: AbortSignal): Promise<StoredReject[]> {
    return this.#try('read rejects', (client) => readRejects(client, this.#ledger, after, limit), signal);
  }

  /** Loads rejects that were parsed again: those that fit now are marked as replayed, the others keep their new reason. */
  async replay(batch: ReplayBatch, signal: AbortSignal): Promise<ReplayOutcome> {
    const work = { ledger: this.#ledger, into: this.#into };
    return this.#inSlot('replay rejects', (client) => replayBatch(client, work, batch, signal), signal);
  }

  /** A transaction with a slot, which is waited for. */
  #inSlot<T>(doing: string, work: (client: pg.Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { connections, ledgerSchema } = this.#settings;
    const once = async (client: pg.Client) => {
      const { slot, others } = await beginWithSlot(client, connections, ledgerSchema);
      if (others) this.#sessions.yieldPlace();
      return slot ? { result: await work(client) } : null;
    };
    const slotted = async () => {
      let said = false;
      for (;;) {
        const done = await this.#sessions.use(once, signal);
        if (said && done) this.#options.waits?.(null);
        if (done) return done.result;
        if (!said) this.#options.waits?.(`other processes load in all ${connections} slots of the target`);
        said = true;
        await sleep(SLOT_MS * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
        signal.throwIfAborted();
      }
    };
    return this.#repeat(doing, slotted, signal);
  }

  #try<T>(doing: string, work: (client: pg.Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#repeat(doing, () => this.#sessions.use(work, signal), signal);
  }

  async #repeat<T>(doing: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        const wait = REPEATS[attempt];
        if (wait === undefined || !worthRepeating(error))
          throw targetError(error, doing, this.#settings.into, undefined);
        this.#options.log.warn({ err: error, attempt }, `target: ${doing} is tried again`);
        await sleep(wait * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
        signal.throwIfAborted();
      }
    }
  }

  async #beat(): Promise<void> {
    try {
      await this.#sessions.use((client) => this.#ledger.beat(client), this.#closing.signal);
    } catch (err) {
      if (!this.#closing.signal.aborted)
        this.#options.log.warn({ err }, 'the target did not hear that this load lives');
    }
  }

  /** Gives every claim back and disconnects; never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    const limit = setTimeout(() => this.#closing.abort(), LEAVE_MS);
    await this.#sessions.use((client) => this.#ledger.leave(client), this.#closing.signal).catch(() => {});
    clearTimeout(limit);
    this.#closing.abort();
    await this.#beating;
    await this.#sessions[Symbol.asyncDispose]();
  }
}

const LEAVE_MS = 5_000;
const NOTE_MS = 5_000;

/** On a connection that is good for nothing else any more. Never throws. */
async function noteAtOnce(ledger: Ledger, client: pg.Client, error: unknown): Promise<void> {
  const late = new AbortController();
  const limit = sleep(NOTE_MS, undefined, { signal: late.signal }).catch(() => {});
  const noted = ledger.noteEnd(client, toTidemarkError(error)).catch(() => {});
  await Promise.race([noted, limit]);
  late.abort();
}

/** A transaction of one statement, with limits of its own. */
async function short<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query(
    `begin isolation level read committed read write; set local lock_timeout = '10s'; set local statement_timeout = '60s'`,
  );
  const result = await work();
  await client.query('commit');
  return result;
}
