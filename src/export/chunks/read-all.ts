/**
 * Reads the chunks that are missing, over as many connections as are free. Invariant: no connection is held while another is
 * waited for, and none is kept from one chunk to the next, so that other tables have their turn.
 */

import type pg from 'pg';
import type { NotedChunk } from '../../model/run.ts';
import { displayName } from '../../model/table.ts';
import type { GroupReader } from '../group-reader.ts';
import type { RawWriter } from '../raw-writer.ts';
import type { ExportDeps, TableWork } from '../work.ts';
import type { OpenRun } from './open-run.ts';
import { chunkNumbers } from './plan-chunks.ts';
import { type ReadChunk, readChunk } from './read-chunk.ts';

type Lend = <T>(work: (client: pg.Client) => Promise<T>, signal: AbortSignal) => Promise<T | null>;

/** What is given up is removed within this time, in milliseconds; the next attempt finds the rest. */
const DISCARD_MS = 5_000;

/** Adds to `run.noted`. Throws the first error, once nothing is under way any more. */
export async function readAll(
  deps: ExportDeps,
  work: TableWork,
  run: OpenRun,
  newWriter: (signal: AbortSignal) => RawWriter,
  signal: AbortSignal,
): Promise<void> {
  const { source, state, step } = deps;
  const { chunked, columns, noted, planned } = run;
  const done = new Set(noted.map(({ chunk }) => chunk));
  const missing = chunkNumbers(chunked).filter((chunk) => !done.has(chunk));
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const helpers: Promise<void>[] = [];
  const progress = new ChunkProgress(work, run);

  const finish = async (chunk: number, writer: RawWriter, read: ReadChunk) => {
    const written = await discardOnFailure(writer, () => writer.finish());
    await step('chunk-uploaded');
    const { rows, watermark, unfit, broken, gone } = read;
    const note = { chunk, rows, watermark, unfit, broken, gone, files: written?.files ?? [] };
    try {
      await state.noteChunk(work.lease, planned.run, note, until);
    } catch (error) {
      await discardUnlessNoted(deps, work, planned.run, note, writer);
      throw error;
    }
    noted.push(note);
    await step('chunk-noted');
  };

  const reader = async (lend: Lend) => {
    let finishing: Promise<void> = Promise.resolve();
    const kept: GroupReader[] = [];
    try {
      while (missing.length > 0) {
        const next = await lend(async (client) => {
          const chunk = missing.shift();
          if (chunk === undefined) return null;
          if (missing.length > 0) helpers.push(helper());
          const writer = newWriter(until);
          const given = { chunk, columns, writer, kept };
          const told = { ...work, onProgress: progress.of(chunk) };
          const read = await discardOnFailure(writer, () => readChunk(client, deps, told, chunked, given, until));
          return { writer, finish: () => finish(chunk, writer, read) };
        }, until);
        if (next === null) break;
        // The last chunk's files are finished while this one's rows come; not more, for each holds row groups in memory.
        await discardOnFailure(next.writer, () => finishing);
        finishing = next.finish();
        finishing.catch((error) => stop.abort(error));
      }
    } finally {
      await finishing;
    }
  };

  const helper = async () => {
    let lent = false;
    const lend: Lend = (use, given) =>
      source.useIfFree((client) => {
        lent = true;
        return use(client);
      }, given);
    try {
      await reader(lend);
    } catch (error) {
      // A server that has no room for one more connection: it goes on without.
      if (lent || until.aborted) stop.abort(error);
    }
  };

  try {
    await reader((use, given) => source.use(use, given));
  } catch (error) {
    stop.abort(error);
  }
  for (let i = 0; i < helpers.length; i++) await helpers[i];
  until.throwIfAborted();
}

/** An answer that was lost may have been that it is noted: then the next attempt counts on its files. */
async function discardUnlessNoted(
  { state, log }: ExportDeps,
  { lease }: TableWork,
  run: bigint,
  { chunk, files }: NotedChunk,
  writer: RawWriter,
): Promise<void> {
  try {
    const ids = files.map(({ upload }) => upload.id);
    if (!(await state.anyNoted(lease, run, ids))) await writer.discard(AbortSignal.timeout(DISCARD_MS));
  } catch (error) {
    log.debug(
      { err: error, table: displayName(lease.table), run, chunk },
      'files of a chunk are left to the next attempt',
    );
  }
}

async function discardOnFailure<T>(writer: RawWriter, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await writer.discard(AbortSignal.timeout(DISCARD_MS));
    throw error;
  }
}

/** Adds up how far the chunks are. */
class ChunkProgress {
  readonly #work: TableWork;
  readonly #run: OpenRun;
  readonly #reading = new Map<number, { rows: bigint; bytes: number }>();
  readonly #before: bigint;

  constructor(work: TableWork, run: OpenRun) {
    this.#work = work;
    this.#run = run;
    this.#before = run.noted.reduce((sum, { rows }) => sum + rows, 0n);
  }

  of(chunk: number): TableWork['onProgress'] {
    return (rows, bytes) => {
      this.#reading.set(chunk, { rows, bytes });
      let [allRows, allBytes] = [this.#before, 0];
      for (const each of this.#reading.values()) {
        allRows += each.rows;
        allBytes += each.bytes;
      }
      const { noted, chunked } = this.#run;
      this.#work.onProgress(allRows, allBytes, { done: noted.length, of: chunkNumbers(chunked).length });
    };
  }
}
