/**
 * One load: list, claim, read and parse in workers, load in batches; the next batch is parsed while this one is inserted.
 * Invariant: a drop's rows and its ledger line are committed together, by src/load/target; memory holds a few batches, whatever
 * the number of drops; what this process claimed and did not load is given back when it ends.
 */

import type { Logger } from 'pino';
import { TidemarkError } from '../model/error.ts';
import { BATCH, Batch, FIRST_GROWTH, type Growth } from './batch.ts';
import type { ReadDrop } from './drop.ts';
import { addOutcome, type LoadTotals } from './load-result.ts';
import { ahead, pages } from './pages.ts';
import type { ParserPool } from './parse/parser-pool.ts';
import { createRoom } from './room.ts';
import type { DropSource } from './source.ts';
import type { Claimed } from './target/outcome.ts';
import type { Target } from './target/target.ts';

export type LoadDeps = {
  source: DropSource;
  pool: Pick<ParserPool, 'parse' | 'lines'>;
  target: Pick<Target, 'claim' | 'load' | 'release'>;
  log: Logger;
  /** A place where a test may stop the process. */
  step(name: string): Promise<void>;
};

export type LoadProgress = {
  /** So many more drops are known of; null: that was all. */
  listed(drops: number | null): void;
  /** So many drops are done with. `totals` is what came of all of them so far. */
  done(drops: number, totals: LoadTotals): void;
};

/** Drops that are claimed in one statement; several processes share a load by such pages. */
const PAGE = 500;
/** Pages that are listed ahead, so that there is a total to show. */
const PAGES_AHEAD = 40;
/** Drops that are fetched and parsed at once, and how many packed bytes of them. */
const READ_AT_ONCE = 32;
const READ_BYTES = 32 * 2 ** 20;
/** More drops that cannot be read than this are no accident of single ones. */
const MOST_UNREADABLE = 20;

/** `inserts`: the most batches that are loaded at once. `totals` is filled as it goes, also when it throws. Throws LAKE_*, TARGET_*, LOAD_REJECTS. */
export async function loadDrops(
  deps: LoadDeps,
  { days, inserts, totals }: { days: string[]; inserts: number; totals: LoadTotals },
  progress: LoadProgress,
  signal: AbortSignal,
): Promise<void> {
  const { source, target, step } = deps;
  const stop = new AbortController();
  const inner = AbortSignal.any([signal, stop.signal]);
  const reading = createRoom(READ_AT_ONCE, READ_BYTES);
  // One more than are inserted: the one that is being parsed.
  const batches = createRoom(inserts + 1, Number.POSITIVE_INFINITY);
  const inserting = createRoom(inserts, Number.POSITIVE_INFINITY);
  const growth: Growth = { ...FIRST_GROWTH };
  const claimed = new Set<Claimed>();
  const running = new Set<Promise<void>>();
  let unreadable = 0;
  let firstUnreadable: unknown;
  let open: { batch: Batch; reads: Promise<void>[]; close: () => void } | undefined;

  /** Work whose failure ends the load. */
  const start = (work: Promise<void>) => {
    const watched = work.catch((error) => stop.abort(error)).finally(() => running.delete(watched));
    running.add(watched);
    return watched;
  };

  const readOne = async (batch: Batch, number: number, drop: Claimed) => {
    const about = { key: drop.key, number };
    try {
      const parse = (input: Parameters<ParserPool['parse']>[0]) => deps.pool.parse(input, about, inner);
      const read = await source.read<ReadDrop>(drop, parse, inner);
      batch.came(number, read === 'gone' ? { state: 'gone' } : read, growth);
    } catch (error) {
      inner.throwIfAborted();
      if (!(error instanceof TidemarkError) || ++unreadable > MOST_UNREADABLE) throw error;
      firstUnreadable ??= error;
      deps.log.warn({ drop: drop.key, err: error }, 'a drop cannot be read; the next load tries it again');
      batch.without(number);
    }
  };

  const originals = async (drop: Claimed, lines: number[]) => {
    const again = (input: Parameters<ParserPool['lines']>[0]) =>
      deps.pool.lines(input, { key: drop.key, number: 0 }, lines, inner);
    const found = await source.read(drop, again, inner);
    return found === 'gone' ? new Map<number, string>() : found;
  };

  const loadBatch = async (batch: Batch, reads: Promise<void>[], done: () => void) => {
    await Promise.all(reads);
    inner.throwIfAborted();
    const leave = await inserting.take(0, inner);
    try {
      const ready = batch.ready;
      if (ready.length > 0) {
        await step('before-batch');
        const outcome = await target.load(ready, originals, inner);
        await step('after-batch');
        for (const { drop } of ready) claimed.delete(drop);
        addOutcome(totals, outcome);
      }
      progress.done(batch.drops.length, totals);
    } finally {
      leave();
      done();
    }
  };

  const closeBatch = () => {
    if (open === undefined) return;
    const { batch, reads, close } = open;
    open = undefined;
    start(loadBatch(batch, reads, close));
  };

  const add = async (drop: Claimed) => {
    open ??= { close: await batches.take(0, inner), batch: new Batch(BATCH), reads: [] };
    const { batch, reads } = open;
    const leave = await reading.take(drop.bytes, inner);
    const number = batch.expect(drop);
    reads.push(start(readOne(batch, number, drop).finally(leave)));
    if (batch.full(growth)) closeBatch();
  };

  try {
    const listing = pages(source.list(days, inner), PAGE);
    for await (const page of ahead(listing, PAGES_AHEAD, (came) => progress.listed(came?.length ?? null))) {
      totals.listed += page.length;
      const ours = await target.claim(page, inner);
      for (const drop of ours) claimed.add(drop);
      await step('after-claim');
      totals.known += page.length - ours.length;
      progress.done(page.length - ours.length, totals);
      for (const drop of ours) await add(drop);
    }
    closeBatch();
    while (running.size > 0) await Promise.all(running);
    inner.throwIfAborted();
    if (firstUnreadable !== undefined) throw firstUnreadable;
  } catch (error) {
    stop.abort(error);
    await Promise.all(running);
    signal.throwIfAborted();
    throw stop.signal.reason;
  } finally {
    // Of a dead process they expire; another need not wait for that.
    if (claimed.size > 0)
      await target.release([...claimed]).catch((err) => deps.log.warn({ err }, 'claims stay until they expire'));
  }
}
