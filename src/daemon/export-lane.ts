/** Exports: what is due goes in batches, which share the source's connections; so small tables pass a huge one. */

import { exportTables, type Progress, type TableResult } from '../export/export-tables.ts';
import type { ExportDeps } from '../export/work.ts';
import { toTidemarkError } from '../model/error.ts';
import { displayName, type TableSettings } from '../model/table.ts';
import type { Due, Outcome } from './agenda.ts';
import type { Clock } from './clock.ts';
import type { Lane, Tell } from './lane.ts';
import { serviceOf } from './services.ts';

export type ExportLaneDeps = {
  deps: ExportDeps;
  clock: Clock;
  readers: number;
  holder: string;
  leaseMs: () => number;
  table: (name: string) => TableSettings | null;
  /** Whether this process works on the table in another way, which needs its lease. */
  isTaken: (name: string) => boolean;
  /** Rows of a table were committed. */
  exported: (table: TableSettings, result: TableResult) => void;
};

export function exportLane(lane: ExportLaneDeps): Lane {
  return {
    kind: 'export',
    needs: ['source', 'state', 'lake'],
    // Each batch may be held up by one huge table, which lends its reader to others between its chunks.
    batches: () => lane.readers + 1,
    most: 1_000,
    takes: ({ name }) => !lane.isTaken(name),
    async run(works, tell, signal) {
      const left = new Set(works.map(({ name }) => name));
      const told: Tell = {
        ...tell,
        ended(name, outcome, figures) {
          left.delete(name);
          tell.ended(name, outcome, figures);
        },
      };
      try {
        await exportBatch(lane, works, told, signal);
      } catch (error) {
        // One table can make the whole call fail: a folder that is another table's. Alone, it fails alone.
        if (signal.aborted || works.length === 1 || serviceOf(toTidemarkError(error).code) !== null) throw error;
        lane.deps.log.debug({ err: error }, 'a batch failed as a whole: its tables go one by one');
        for (const work of works) if (left.has(work.name)) await exportAlone(lane, work, tell, signal);
      }
    },
  };
}

async function exportAlone(lane: ExportLaneDeps, work: Due, tell: Tell, signal: AbortSignal): Promise<void> {
  try {
    await exportBatch(lane, [work], tell, signal);
  } catch (error) {
    if (signal.aborted || serviceOf(toTidemarkError(error).code) !== null) throw error;
    const figures = { run: null, rows: 0, lateRows: 0, bytes: 0, seconds: 0 };
    tell.ended(work.name, { state: 'failed', error }, figures);
  }
}

async function exportBatch(lane: ExportLaneDeps, works: Due[], tell: Tell, signal: AbortSignal): Promise<void> {
  const tables = works.flatMap(({ name }) => lane.table(name) ?? []);
  if (tables.length === 0) return;
  const request = {
    tables,
    full: false,
    // One more than there are connections, for a large table lends its own between its chunks.
    readers: lane.readers + 1,
    holder: lane.holder,
    leaseMs: lane.leaseMs(),
    unlessCheckedSince: checkedSince(works),
  };
  const settings = new Map(tables.map((table) => [displayName(table.name), table]));
  const progress: Progress = {
    started() {},
    advanced: (table, rows, bytes) => tell.advanced(displayName(table), Number(rows), bytes),
    ended(result) {
      const name = displayName(result.table);
      tell.ended(name, outcomeOf(result, lane.holder, lane.clock.now()), figuresOf(result));
      if (result.state === 'committed') lane.exported(settings.get(name)!, result);
    },
  };
  await exportTables(lane.deps, request, progress, signal);
}

/** Two daemons have the same times: what the other one exported since then is done. Microseconds; null: somebody asked, whatever was done before. */
export function checkedSince(works: Pick<Due, 'firedAt'>[]): bigint | null {
  const fired = works.flatMap(({ firedAt }) => (firedAt === null ? [] : [firedAt]));
  return fired.length < works.length ? null : BigInt(Math.min(...fired)) * 1000n;
}

/** When a table that this process itself holds (its lease is on its way back) is tried again. */
const OWN_MS = 500;

export function outcomeOf(
  result:
    | { state: 'held'; holder: string; expiresAt: string | null }
    | { state: 'failed'; error: unknown }
    | { state: 'committed' | 'compacted' | 'nothing' },
  holder: string,
  now: number,
): Outcome {
  if (result.state === 'failed') return result;
  if (result.state === 'nothing') return { state: 'nothing' };
  if (result.state !== 'held') return { state: 'done' };
  if (result.holder === holder) return { state: 'held', until: now + OWN_MS };
  return { state: 'held', until: result.expiresAt === null ? null : Date.parse(result.expiresAt) };
}

function figuresOf({ run, rows, lateRows, files, seconds, changed, broken = [] }: TableResult) {
  return {
    run: run === null ? null : String(run),
    rows: Number(rows),
    lateRows: Number(lateRows),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    seconds,
    fields: {
      files: files.length,
      ...(changed === undefined ? {} : { changed }),
      ...(broken.length > 0 ? { broken: broken.map(({ column, rule, count }) => `${column} ${rule}: ${count}`) } : {}),
    },
  };
}
