/** Exports several tables at once, within the source's connections. Invariant: a failing table does not stop the others. */

import { TidemarkError, toTidemarkError } from '../model/error.ts';
import type { Mark, Micros } from '../model/mark.ts';
import type { Range } from '../model/range.ts';
import type { Broken, UnfitCounts } from '../model/run.ts';
import { displayName, type TableName, type TableSettings } from '../model/table.ts';
import { describeTables, type SourceTable } from '../postgres/describe.ts';
import type { Held } from '../state/leases.ts';
import type { Standing } from '../state/standing.ts';
import { exportTable, stoppedBy } from './export-table.ts';
import { passIdle } from './idle-tables.ts';
import { byLag } from './lag-order.ts';
import { type Leased, LeaseQueue } from './lease-queue.ts';
import { recover } from './recover.ts';
import type { Settled } from './settle.ts';
import { whyFailed } from './why-failed.ts';
import type { ChunksDone, ExportDeps, TableWork } from './work.ts';

export type TableResult = {
  table: TableName;
  run: bigint | null;
  rows: bigint;
  lateRows: bigint;
  files: { key: string; rows: number; bytes: number }[];
  watermark: string | null;
  unfit: UnfitCounts;
  seconds: number;
  /** Why the ids of the mark meant nothing on this source; absent: they did. */
  changed?: string;
  /** Expectations that rows broke; the run is committed all the same. */
  broken?: Broken[];
} & ({ state: 'committed' | 'nothing' } | Held | { state: 'failed'; error: TidemarkError });

/** Told how far each table is. */
export type Progress = {
  started(table: TableName, estimatedRows: number): void;
  /** `run` null: it has no number yet. */
  advanced(table: TableName, rows: bigint, bytes: number, run: bigint | null, chunks?: ChunksDone): void;
  ended(result: TableResult): void;
};

export type ExportRequest = {
  tables: TableSettings[];
  full: boolean;
  /** Repeats this range of each table's cursor, in place of what is new. */
  range?: Range;
  /** Tables worked on at the same time. */
  readers: number;
  /** Who holds the leases, for people: host and process. */
  holder: string;
  leaseMs: number;
  /**
   * Tables whose mark is of a snapshot later than this (by the source's clock) are given back as `nothing`: another process
   * looked at them meanwhile. Null, or with `full` or `range`: every table is looked at.
   */
  unlessCheckedSince?: Micros | null;
};

type Item = { settings: TableSettings; table: SourceTable | null; standing: Standing };

/** Results in the order in which the tables ended. Throws only what concerns all of them: the source or the state store away. */
export async function exportTables(
  deps: ExportDeps,
  request: ExportRequest,
  progress: Progress,
  signal: AbortSignal,
): Promise<TableResult[]> {
  const results: TableResult[] = [];
  const end = (result: TableResult) => {
    results.push(result);
    progress.ended(result);
  };
  const whole = request.full || request.range !== undefined;
  const standing = await deps.state.standing(request.tables, signal);
  // Nothing to do is found out without a connection, for which there may be a long wait.
  if (standing.every(({ held }) => held !== null)) {
    for (const [i, { held }] of standing.entries()) end({ ...nothing(request.tables[i].name), ...held! });
    return results;
  }
  const items = (await lookUp(deps, request.tables, standing, signal)).filter(({ settings, standing: { mark } }) => {
    if (whole || !isFresh(mark, request)) return true;
    end({ ...nothing(settings.name), state: 'nothing', watermark: mark!.watermark });
    return false;
  });
  const order = byLag(request.full);
  items.sort((a, b) => order(waitingOf(a), waitingOf(b)));
  const onIdle = ({ settings }: Item, { watermark }: Mark, seconds: number) =>
    end({ ...nothing(settings.name), state: 'nothing', watermark, seconds });
  const busy = whole ? items : await passIdle(deps, items, onIdle, signal);
  await workOn(deps, request, busy, progress, end, signal);
  return results;
}

async function lookUp(
  { source }: ExportDeps,
  tables: TableSettings[],
  standing: Standing[],
  signal: AbortSignal,
): Promise<Item[]> {
  const names = tables.map(({ name }) => name);
  const described = await source.use((client) => describeTables(client, names, source.types), signal);
  return tables.map((settings, i) => ({ settings, table: described[i], standing: standing[i] }));
}

const waitingOf = ({ table, standing }: Item) => ({ mark: standing.mark, estimatedRows: table?.estimatedRows ?? 0 });

/** Whether somebody else has looked at the table since the caller thought it due. */
function isFresh(mark: Mark | null, { unlessCheckedSince }: ExportRequest): boolean {
  return mark !== null && unlessCheckedSince != null && mark.at > unlessCheckedSince;
}

async function workOn(
  deps: ExportDeps,
  request: ExportRequest,
  items: Item[],
  progress: Progress,
  end: (result: TableResult) => void,
  signal: AbortSignal,
): Promise<void> {
  const { holder, leaseMs } = request;
  const wanted = ({ settings: { name, folder } }: Item) => ({ name, folder });
  const onHeld = ({ settings }: Item, held: Held) => end({ ...nothing(settings.name), ...held });
  await using queue = new LeaseQueue(deps.state, items, { wanted, holder, leaseMs, onHeld }, deps.log);
  const reader = async () => {
    for (let leased = await queue.next(signal); leased; leased = await queue.next(signal)) {
      let idle: Settled['idle'] = null;
      try {
        const done = await work(deps, request, leased, progress, AbortSignal.any([signal, leased.lost]));
        idle = done.mark;
        if (done.result) end(done.result);
      } finally {
        queue.put(leased, idle);
      }
    }
  };
  const readers = Array.from({ length: Math.min(request.readers, items.length) }, reader);
  // Each to its end, for the leases are given back then; what one throws concerns all.
  const failed = (await Promise.allSettled(readers)).find((ended) => ended.status === 'rejected');
  if (failed) throw failed.reason;
}

/** One table, from what a dead process left to its result; no result when everything is being stopped. Never throws. */
async function work(
  deps: ExportDeps,
  request: ExportRequest,
  { item: { settings, table }, found }: Leased<Item>,
  progress: Progress,
  signal: AbortSignal,
): Promise<{ result: TableResult | null; mark: Settled['idle'] }> {
  const began = deps.now();
  let run: bigint | null = null;
  const onRun = (number: bigint) => {
    run = number;
  };
  const common = () => ({ ...nothing(settings.name), seconds: (deps.now() - began) / 1000 });
  try {
    const from = await recover(deps, found, signal);
    if (!request.full && !request.range && !from.unfinished && isFresh(from.mark, request))
      return { result: { ...common(), state: 'nothing', watermark: from.mark!.watermark }, mark: null };
    if (!table)
      throw new TidemarkError('TABLE_UNKNOWN', 'there is no such table', { table: displayName(settings.name) });
    progress.started(settings.name, from.mark && !request.full ? 0 : table.estimatedRows);
    const onProgress: TableWork['onProgress'] = (rows, bytes, chunks) =>
      progress.advanced(settings.name, rows, bytes, run, chunks);
    const task = {
      settings,
      table,
      lease: found.lease,
      ...from,
      full: request.full,
      range: request.range,
      onProgress,
      onRun,
    };
    const outcome = await exportTable(deps, task, signal);
    if (outcome.state === 'nothing') {
      const { mark, changed, broken } = outcome;
      const result: TableResult = { ...common(), state: 'nothing', watermark: mark.watermark, changed, broken };
      // A range without rows says nothing of the rest of the table.
      return { result, mark: request.range ? null : { mark: outcome.mark, columns: outcome.columns } };
    }
    return { result: { ...common(), ...outcome } satisfies TableResult, mark: null };
  } catch (error) {
    if (stoppedBy(signal)) return { result: null, mark: null };
    const known = toTidemarkError(await whyFailed(deps.state, found.lease, error, signal));
    deps.log.debug({ err: error, table: displayName(settings.name), run }, 'the table failed');
    const result: TableResult = { ...common(), run, state: 'failed', error: known };
    return { result, mark: null };
  }
}

function nothing(table: TableName) {
  return { table, run: null, rows: 0n, lateRows: 0n, files: [], watermark: null, unfit: {}, seconds: 0 };
}
