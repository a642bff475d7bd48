/** Exports several tables at once, within the source's connections. Invariant: a failing table does not stop the others. */

import { TidemarkError, toTidemarkError } from '../model/error.ts';
import type { Range } from '../model/range.ts';
import type { UnfitCounts } from '../model/run.ts';
import { displayName, type TableName, type TableSettings } from '../model/table.ts';
import { describeTables, type SourceTable } from '../postgres/describe.ts';
import { keepAlive } from '../state/keep-alive.ts';
import { type Acquired, type Held, type Lease, leaseLost } from '../state/leases.ts';
import { exportTable, stoppedBy } from './export-table.ts';
import { recover } from './recover.ts';
import { Settler } from './settle.ts';
import type { ExportDeps } from './work.ts';

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
} & ({ state: 'committed' | 'nothing' } | Held | { state: 'failed'; error: TidemarkError });

/** Told how far each table is. */
export type Progress = {
  started(table: TableName, estimatedRows: number): void;
  advanced(table: TableName, rows: bigint, bytes: number): void;
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
};

/** Leases are taken for so many tables ahead: one round trip, and yet a second process finds something to do. */
const LEASES_AHEAD = 100;

type Item = { settings: TableSettings; table: SourceTable | null; found: Acquired; lost: AbortController };

/** Results in the order in which the tables ended. Throws only what concerns all of them: the source or the state store away. */
export async function exportTables(
  deps: ExportDeps,
  request: ExportRequest,
  progress: Progress,
  signal: AbortSignal,
): Promise<TableResult[]> {
  const described = await describe(deps, request.tables, signal);
  const results: TableResult[] = [];
  const end = (result: TableResult) => {
    results.push(result);
    progress.ended(result);
  };
  await using settler = new Settler(deps.state);
  for (let first = 0; first < request.tables.length && !signal.aborted; first += LEASES_AHEAD) {
    const tables = request.tables.slice(first, first + LEASES_AHEAD);
    const wanted = tables.map(({ name, folder }) => ({ name, folder }));
    const found = await deps.state.acquire('export', wanted, request.holder, request.leaseMs, signal);
    const items: Item[] = [];
    for (const [i, got] of found.entries()) {
      if (got.state === 'held') end({ ...nothing(tables[i].name), ...got });
      else items.push({ settings: tables[i], table: described[first + i], found: got, lost: new AbortController() });
    }
    await workOn(deps, request, items, settler, progress, end, signal);
  }
  return results;
}

async function describe(
  { source }: ExportDeps,
  tables: TableSettings[],
  signal: AbortSignal,
): Promise<(SourceTable | null)[]> {
  const names = tables.map(({ name }) => name);
  return source.use((client) => describeTables(client, names, source.types), signal);
}

async function workOn(
  deps: ExportDeps,
  request: ExportRequest,
  items: Item[],
  settler: Settler,
  progress: Progress,
  end: (result: TableResult) => void,
  signal: AbortSignal,
): Promise<void> {
  const byLease = new Map<Lease, Item>(items.map((item) => [item.found.lease, item]));
  const onLost = (lease: Lease) => byLease.get(lease)?.lost.abort(leaseLost(lease));
  await using heartbeat = keepAlive(deps.state, [...byLease.keys()], request.leaseMs, onLost, deps.log);
  const queue = [...items];
  const reader = async () => {
    for (let item = queue.shift(); item; item = queue.shift()) {
      const { lease } = item.found;
      let idle: Parameters<Settler['add']>[0]['idle'] = null;
      try {
        if (signal.aborted) continue;
        const { result, mark } = await work(deps, request, item, progress, AbortSignal.any([signal, item.lost.signal]));
        idle = mark;
        if (result) end(result);
      } finally {
        heartbeat.forget(lease);
        settler.add({ lease, idle });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(request.readers, items.length) }, reader));
}

/** One table, from what a dead process left to its result; no result when everything is being stopped. Never throws. */
async function work(deps: ExportDeps, request: ExportRequest, item: Item, progress: Progress, signal: AbortSignal) {
  const { settings, table, found } = item;
  const began = deps.now();
  const common = () => ({ ...nothing(settings.name), seconds: (deps.now() - began) / 1000 });
  try {
    const from = await recover(deps, found, signal);
    if (!table)
      throw new TidemarkError('TABLE_UNKNOWN', 'there is no such table', { table: displayName(settings.name) });
    progress.started(settings.name, from.mark && !request.full ? 0 : table.estimatedRows);
    const onProgress = (rows: bigint, bytes: number) => progress.advanced(settings.name, rows, bytes);
    const task = { settings, table, lease: found.lease, ...from, full: request.full, range: request.range, onProgress };
    const outcome = await exportTable(deps, task, signal);
    if (outcome.state === 'nothing') {
      const { mark, changed } = outcome;
      const result: TableResult = { ...common(), state: 'nothing', watermark: mark.watermark, changed };
      // A range without rows says nothing of the rest of the table.
      return { result, mark: request.range ? null : { mark: outcome.mark, columns: outcome.columns } };
    }
    return { result: { ...common(), ...outcome } satisfies TableResult, mark: null };
  } catch (error) {
    if (stoppedBy(signal)) return { result: null, mark: null };
    const known = toTidemarkError(error);
    deps.log.debug({ err: error, table: displayName(settings.name) }, 'the table failed');
    const result: TableResult = { ...common(), state: 'failed', error: known };
    return { result, mark: null };
  }
}

function nothing(table: TableName) {
  return { table, run: null, rows: 0n, lateRows: 0n, files: [], watermark: null, unfit: {}, seconds: 0 };
}
