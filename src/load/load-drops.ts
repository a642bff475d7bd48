/**
 * The way of the drops: claimed, read, parsed in workers, loaded in batches; the next batch is parsed while this one is inserted.
 * Invariant: a drop's rows and its ledger line are committed together, by src/load/target; memory holds a few batches, whatever
 * the number of drops; what this process claimed and did not load is given back when it ends.
 */

import type { Logger } from 'pino';
import { createRoom } from '../bounded/room.ts';
import { collectAll } from '../lake/garbage.ts';
import { TidemarkError } from '../model/error.ts';
import { BATCH, Batch, FIRST_GROWTH, type Growth } from './batch.ts';
import type { ReadDrop } from './drop.ts';
import type { DropInput, DropSource } from './drop-source.ts';
import { addOutcome, type LoadTotals } from './load-result.ts';
import type { ParserPool } from './parse/parser-pool.ts';
import type { Claimed } from './target/outcome.ts';
import type { Target } from './target/target.ts';

export type LoadDeps = {
  source: DropSource;
  pool: ParserPool;
  target: Target;
  log: Logger;
};

export type LoadProgress = {
  /** So many more drops are known of; null: that was all. */
  listed(drops: number | null): void;
  /** So many drops are done with. `totals` is what came of all of them so far. */
  done(drops: number, totals: LoadTotals): void;
};

export type LoadWork = {
  totals: LoadTotals;
  progress: LoadProgress;
  /** The most batches that are inserted at once. */
  inserts: number;
};

/** Drops that are fetched and parsed at once, and how many packed bytes of them. */
const READ_AT_ONCE = 32;
const READ_BYTES = 32 * 2 ** 20;
/** More drops that cannot be read than this are no accident of single ones. */
const MOST_UNREADABLE = 20;

/** Requests and promises of so many drops outlive the young generation, and would grow to 100 MB before V8 looks at them. */
const COLLECT_EVERY = 1_500;

/**
 * Loads what is claimed. `claims` gets a signal of ours, which also ends when a batch fails. The totals are filled as it goes,
 * also when it throws: LAKE_*, TARGET_*, LOAD_REJECTS, or the signal's reason.
 */
export async function loadDrops(
  { source, pool, target, log }: LoadDeps,
  { totals, progress, inserts }: LoadWork,
  claims: (signal: AbortSignal) => AsyncIterable<Claimed[]>,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const inner = AbortSignal.any([signal, stop.signal]);
  const reading = createRoom(READ_AT_ONCE, READ_BYTES);
  // One more than are inserted: the one that is being parsed.
  const batches = createRoom(inserts + 1, Number.POSITIVE_INFINITY);
  const inserting = createRoom(inserts, Number.POSITIVE_INFINITY);
  const growth: Growth = { ...FIRST_GROWTH };
  const claimed = new Set<Claimed>();
  const running = new Set<Promise<void>>();
  let uncollected = 0;
  const unreadable: TidemarkError[] = [];
  let open: { batch: Batch; reads: Promise<void>[]; leave: () => void } | undefined;

  /** Work whose failure ends the load. */
  const start = (work: Promise<void>): Promise<void> => {
    const watched = work.catch((error) => stop.abort(error)).finally(() => running.delete(watched));
    running.add(watched);
    return watched;
  };

  const collect = (drops: number) => {
    uncollected += drops;
    if (uncollected < COLLECT_EVERY) return;
    uncollected = 0;
    collectAll();
  };

  const readOne = async (batch: Batch, number: number, drop: Claimed) => {
    const parse = (input: DropInput) => pool.parse(input, { key: drop.key, number }, inner);
    try {
      const read = await source.read<ReadDrop>(drop, parse, inner);
      batch.came(number, read === 'gone' ? { state: 'gone' } : read, growth);
    } catch (error) {
      inner.throwIfAborted();
      if (!(error instanceof TidemarkError) || unreadable.push(error) > MOST_UNREADABLE) throw error;
      log.warn({ drop: drop.key, err: error }, 'a drop cannot be read; the next load tries it again');
      batch.without(number);
    }
  };

  const originals = async (drop: Claimed, lines: number[]) => {
    const again = (input: DropInput) => pool.lines(input, { key: drop.key, number: 0 }, lines, inner);
    const found = await source.read(drop, again, inner);
    return found === 'gone' ? new Map<number, string>() : found;
  };

  const loadBatch = async (batch: Batch, reads: Promise<void>[]) => {
    await Promise.all(reads);
    const leave = await inserting.take(0, inner);
    const outcome = await target.load(batch.ready, originals, inner).finally(leave);
    for (const { drop } of batch.ready) claimed.delete(drop);
    batch.release();
    collect(batch.drops.length);
    addOutcome(totals, outcome);
    progress.done(batch.drops.length, totals);
  };

  const closeBatch = () => {
    if (open === undefined) return;
    const { batch, reads, leave } = open;
    open = undefined;
    start(loadBatch(batch, reads).finally(leave));
  };

  const add = async (drop: Claimed) => {
    open ??= { leave: await batches.take(0, inner), batch: new Batch(BATCH), reads: [] };
    const { batch, reads } = open;
    const leave = await reading.take(drop.bytes, inner);
    reads.push(start(readOne(batch, batch.expect(drop), drop).finally(leave)));
    if (batch.full(growth)) closeBatch();
  };

  try {
    for await (const page of claims(inner)) {
      for (const drop of page) claimed.add(drop);
      for (const drop of page) await add(drop);
    }
    closeBatch();
    while (running.size > 0) await Promise.all(running);
    inner.throwIfAborted();
    if (unreadable.length > 0) throw unreadable[0];
  } catch (error) {
    stop.abort(error);
    await Promise.all(running);
    signal.throwIfAborted();
    throw stop.signal.reason;
  } finally {
    // Those of a dead process expire; others need not wait for that.
    await target.release([...claimed]).catch((err: unknown) => log.warn({ err }, 'claims stay until they expire'));
  }
}
