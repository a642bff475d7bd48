/**
 * The state store: what was exported, by whom it is being exported, and from where the next run starts.
 * Invariant: each call is one transaction, durable once it resolves; if it throws STATE_*, the outcome may be unknown and repeating is safe.
 */

import { randomUUID } from 'node:crypto';
import type { Mark } from '../model/mark.ts';
import type { ChunkedRun, NotedChunk, Prepared } from '../model/run.ts';
import { ArchiveStore } from './archive-store.ts';
import { anyNoted, closeChunks, forgetChunks, noteChunk, planChunks } from './chunks.ts';
import { READING, type StateDatabase, type StateTx } from './database.ts';
import { DoneStore } from './done-store.ts';
import { type Exported, exportedTables } from './exported.ts';
import { abandonRun, type Failure, insertFailure, noteFailure } from './failures.ts';
import { type HeldLease, heldLeases, takeAway } from './held-leases.ts';
import {
  type Acquired,
  acquireLeases,
  type Held,
  holdsLease,
  type Lease,
  releaseLeases,
  renewLeases,
  type Wanted,
} from './leases.ts';
import { knownTables, type Paused, pauseTables, type Resumed, resumeTables } from './pauses.ts';
import { pruneRows } from './prune.ts';
import { type FilesPage, type RawTable, rawFiles, rawTable } from './raw-files.ts';
import { type RawPage, rawRuns, type Until } from './raw-runs.ts';
import type { LeaseKind } from './run-kinds.ts';
import { commitRun, nextRun, type Plan, planRun, prepareRun, settledState } from './runs.ts';
import type { RunState } from './schema.ts';
import { giveSlots, renewSlots, type SlotClaim, type SlotHolder, takeSlot } from './source-slots.ts';
import { type Staged, type StagedStatus, type StagedWork, saveStaged, stagedStatus } from './staged.ts';
import { moveMarks, type Rest, readStanding, type Standing } from './standing.ts';
import { type TableFile, type TableRun, tableFiles, tableRuns } from './table-runs.ts';
import { type Idle, readMarks, saveIdleMarks, type TableStatus, tableStatus } from './tables.ts';

/** A run's files are some hundred bytes each here; a table may have 100,000 runs. */
const RUNS_AT_ONCE = 1_000;

export class StateStore implements AsyncDisposable {
  /** A uuid; part of every raw key. */
  readonly id: string;
  /** What has left it: runs in archives. */
  readonly archiving: ArchiveStore;
  /** What was done when. */
  readonly done: DoneStore;
  readonly #database: StateDatabase;

  constructor(id: string, database: StateDatabase) {
    this.id = id;
    this.#database = database;
    this.archiving = new ArchiveStore(database);
    this.done = new DoneStore(database);
  }

  /**
   * Takes the leases that are free, released or expired, in the order of `tables`; tables it meets for the first time are
   * written down. `holder` is for people: host and process. Throws FOLDER_CLASH, and then took none.
   */
  async acquire(
    kind: LeaseKind,
    tables: Wanted[],
    holder: string,
    ttlMs: number,
    signal: AbortSignal,
  ): Promise<(Acquired | Held)[]> {
    const claim = { kind, holder, ttlMs, id: randomUUID() };
    return this.#database.transact('take leases', (tx) => acquireLeases(tx, tables, claim), signal);
  }

  /** Prolongs the leases to `ttlMs` from now; returns those that are lost. */
  async renew(leases: readonly Lease[], ttlMs: number): Promise<Lease[]> {
    return this.#database.transact('renew leases', (tx) => renewLeases(tx, leases, ttlMs));
  }

  /** Whether the lease is still its holder's: expired or not, nobody took it over. */
  async holds(lease: Lease): Promise<boolean> {
    return this.#database.transact('look at a lease', (tx) => holdsLease(tx, lease));
  }

  /** Gives the leases back. */
  async release(leases: readonly Lease[]): Promise<void> {
    return this.#database.transact('release leases', (tx) => releaseLeases(tx, leases));
  }

  /** Begins a run: from now on its leftovers will be found. Throws LEASE_LOST. */
  async plan(lease: Lease, plan: Plan, signal: AbortSignal): Promise<{ run: bigint; prefix: string }> {
    // The number first, in a transaction of its own: a repeat after a lost connection then is about the same run.
    const run = await this.#database.transact('number a run', nextRun, signal);
    const prefix = await this.#database.transact(
      `plan run ${run}`,
      (tx) => planRun(tx, lease, run, plan, this.id),
      signal,
    );
    return { run, prefix };
  }

  /** Makes a planned run one in chunks: whoever finds it unfinished goes on with it. Throws LEASE_LOST. */
  async planChunks(lease: Lease, run: bigint, chunked: ChunkedRun, signal: AbortSignal): Promise<void> {
    return this.#database.transact(`plan chunks of run ${run}`, (tx) => planChunks(tx, lease, run, chunked), signal);
  }

  /** A chunk of the run is uploaded whole: from now on no attempt reads it again. Repeatable. Throws LEASE_LOST. */
  async noteChunk(lease: Lease, run: bigint, chunk: NotedChunk, signal: AbortSignal): Promise<void> {
    return this.#database.transact(`note a chunk of run ${run}`, (tx) => noteChunk(tx, lease, run, chunk), signal);
  }

  /** Whether any of these uploads counts already: asked when noteChunk() threw, for it may have been noted nevertheless. */
  async anyNoted(lease: Lease, run: bigint, uploads: string[]): Promise<boolean> {
    return this.#database.transact(`look at run ${run}`, (tx) => anyNoted(tx, lease, run, uploads));
  }

  /** Chunks whose uploads the lake has thrown away: they are to be read again. Throws LEASE_LOST. */
  async forgetChunks(lease: Lease, run: bigint, chunks: number[], signal: AbortSignal): Promise<void> {
    return this.#database.transact(`forget chunks of run ${run}`, (tx) => forgetChunks(tx, lease, run, chunks), signal);
  }

  /** All bytes of the run are uploaded: from now on it is rolled forward. Throws LEASE_LOST. */
  async prepare(lease: Lease, run: bigint, prepared: Prepared, signal: AbortSignal): Promise<void> {
    return this.#database.transact(
      `prepare run ${run}`,
      async (tx) => {
        await prepareRun(tx, lease, run, prepared);
        await closeChunks(tx, run);
      },
      signal,
    );
  }

  /** The run's uploads are completed: its files count, the mark moves. Repeatable. Throws LEASE_LOST. */
  async commit(lease: Lease, run: bigint, signal: AbortSignal): Promise<void> {
    return this.#database.transact(`commit run ${run}`, (tx) => commitRun(tx, lease, run), signal);
  }

  /** Moves the marks of tables that had nothing to export; returns the leases that are lost, whose marks stay. */
  async saveIdle(entries: readonly Idle[]): Promise<Lease[]> {
    return this.#database.transact('save marks', (tx) => saveIdleMarks(tx, entries));
  }

  /** Takes a slot for one connection to a source; null: it has one. Else who holds them all. */
  async takeSlot(claim: SlotClaim, signal: AbortSignal): Promise<SlotHolder[] | null> {
    return this.#database.transact('count connections', (tx) => takeSlot(tx, claim), signal);
  }

  /** Prolongs slots by their claims; returns those that are lost, and whether a process without any waits. */
  async renewSlots(claims: string[], ttlMs: number): Promise<{ lost: string[]; wanted: boolean }> {
    return this.#database.transact('renew connections', (tx) => renewSlots(tx, claims, ttlMs));
  }

  async giveSlots(claims: string[]): Promise<void> {
    return this.#database.transact('uncount connections', (tx) => giveSlots(tx, claims));
  }

  /** Where each of the tables stands, in their order; takes no lease. Throws FOLDER_CLASH. */
  async standing(tables: Wanted[], signal: AbortSignal): Promise<Standing[]> {
    return this.#database.transact('read marks', (tx) => readStanding(tx, tables), signal);
  }

  /** Moves marks of tables in which nothing is new, without their leases. What moved, or is worked on, since standing() stays as it is. */
  async moveMarks(entries: { rest: Rest; mark: Mark }[], signal: AbortSignal): Promise<void> {
    return this.#database.transact('move marks', (tx) => moveMarks(tx, entries), signal);
  }

  /** Closes an open run of which nothing is left in the lake. Throws LEASE_LOST. */
  async abandon(lease: Lease, run: bigint, reason: string): Promise<void> {
    return this.#database.transact(`abandon run ${run}`, (tx) => abandonRun(tx, lease, run, reason));
  }

  /**
   * The state of a run whose prepare or commit threw. Only a run that is `planned` may be cleaned up by its own process: a
   * prepare whose answer was lost may have been committed, and another process may be completing the run by now.
   */
  async runState(lease: Lease, run: bigint): Promise<RunState> {
    return this.#database.transact(`look at run ${run}`, (tx) => settledState(tx, lease, run));
  }

  /**
   * Writes down for status what went wrong. An open run stays open, for the next holder of the lease to clean up; when
   * everything is cleaned up already, abandon() closes it as failed. `run` null: it failed before it was planned; it
   * gets a number now. Returns the number.
   */
  async fail(lease: Lease, run: bigint | null, error: Failure): Promise<bigint> {
    const number = run ?? (await this.#database.transact('number a run', nextRun));
    const note = run === null ? insertFailure : noteFailure;
    await this.#database.transact('note a failure', (tx) => note(tx, lease, number, error));
    return number;
  }

  /** The tables' marks, for a look ahead; null where nothing was exported yet. */
  async marks(folders: string[]): Promise<(Mark | null)[]> {
    return this.#database.transact('read marks', (tx) => readMarks(tx, folders));
  }

  /** A number for a compaction, from the same sequence as the runs': for logs and for the commit in the Delta log. */
  async nextRunNumber(signal: AbortSignal): Promise<bigint> {
    return this.#database.transact('number a run', nextRun, signal);
  }

  /**
   * Committed runs of the table after `after`, in order, beginning with the last full one when there is one among them;
   * `until`: none that was exported later. Or archives, where these have some of it: Manifest reads both.
   */
  async rawRuns(
    folder: string,
    after: bigint,
    signal: AbortSignal,
    until: Until = {},
    most = RUNS_AT_ONCE,
  ): Promise<RawPage> {
    const read = (tx: StateTx) => rawRuns(tx, folder, after, until, most);
    return this.#database.transact('read the manifest', read, signal, READING);
  }

  /** What the raw files of a folder hold now; null when nothing of it was exported. */
  async rawTable(folder: string, signal: AbortSignal): Promise<RawTable | null> {
    return this.#database.transact('read about raw files', (tx) => rawTable(tx, folder), signal);
  }

  /** Every committed raw file of the runs after `after`, those of at most `most` runs; or archives, as with rawRuns(). */
  async rawFiles(folder: string, after: bigint, most: number, signal: AbortSignal): Promise<FilesPage> {
    return this.#database.transact('read the manifest', (tx) => rawFiles(tx, folder, after, most), signal, READING);
  }

  /** Notes what the staged table is now, after its Delta commit or after a look at it. Repeatable. Throws LEASE_LOST. */
  async staged(lease: Lease, staged: Staged & StagedWork, signal: AbortSignal): Promise<void> {
    return this.#database.transact('note a staged table', (tx) => saveStaged(tx, lease, staged), signal);
  }

  /** What is known of the folders' staged tables without a look at the lake; those that no compaction has worked on are missing. */
  async stagedOf(folders: string[], signal: AbortSignal): Promise<Map<string, StagedStatus>> {
    return this.#database.transact('read about staged tables', (tx) => stagedStatus(tx, folders), signal);
  }

  /** Every table that was exported: what can be compacted. */
  async exported(signal: AbortSignal): Promise<Exported[]> {
    return this.#database.transact('list the exported tables', exportedTables, signal);
  }

  /** Nobody begins to work on these tables from now on; `by` is for people. Repeatable. Throws FOLDER_CLASH. */
  async pause(tables: Wanted[], by: string, signal: AbortSignal): Promise<Paused[]> {
    return this.#database.transact('pause tables', (tx) => pauseTables(tx, tables, by), signal);
  }

  /** Lets paused tables go; returns those that were paused. */
  async resume(folders: string[], signal: AbortSignal): Promise<Resumed[]> {
    return this.#database.transact('resume tables', (tx) => resumeTables(tx, folders), signal);
  }

  /** Every table that it knows, exported or not. */
  async known(signal: AbortSignal): Promise<(Wanted & { paused: boolean })[]> {
    return this.#database.transact('list the known tables', knownTables, signal);
  }

  /** Every lease that was not given back. */
  async leases(signal: AbortSignal): Promise<HeldLease[]> {
    return this.#database.transact('list the leases', heldLeases, signal);
  }

  /** Takes the folders' leases from their holders, living ones only with `force`; returns all that were held before. */
  async takeAway(
    folders: string[],
    kind: LeaseKind | null,
    force: boolean,
    signal: AbortSignal,
  ): Promise<(HeldLease & { released: boolean })[]> {
    return this.#database.transact('release leases', (tx) => takeAway(tx, folders, kind, force), signal);
  }

  /** Deletes rows of processes that died long ago, and of work that nobody does any more. */
  async prune(signal: AbortSignal): Promise<void> {
    return this.#database.transact('remove old rows', pruneRows, signal);
  }

  /** A table's newest runs, the newest first. */
  async tableRuns(folder: string, most: number, signal: AbortSignal): Promise<TableRun[]> {
    return this.#database.transact('read the runs', (tx) => tableRuns(tx, folder, most), signal);
  }

  /** A table's newest committed raw files, the newest first. */
  async tableFiles(folder: string, most: number, signal: AbortSignal): Promise<TableFile[]> {
    return this.#database.transact('read the manifest', (tx) => tableFiles(tx, folder, most), signal);
  }

  async status(): Promise<TableStatus[]> {
    return this.#database.transact('read the status', tableStatus);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database[Symbol.asyncDispose]();
  }
}
