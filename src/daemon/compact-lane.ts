/**
 * Compactions: one after another, for each may take all the memory that DuckDB has. DuckDB is loaded when there is something to merge.
 * While one takes long, small ones pass it, with little memory of their own.
 */

import { compactTables } from '../compact/compact-tables.ts';
import type { CompactProgress, CompactResult } from '../compact/result.ts';
import type { CompactDeps, CompactSettings } from '../compact/work.ts';
import { displayName } from '../model/table.ts';
import type { Due } from './agenda.ts';
import type { Clock } from './clock.ts';
import { outcomeOf } from './export-lane.ts';
import type { Figures, Lane, Tell } from './lane.ts';

export type CompactLaneDeps = {
  deps: () => Promise<CompactDeps>;
  /** With a DuckDB of its own that has little memory; to be disposed of. */
  smallDeps: () => Promise<{ deps: CompactDeps } & AsyncDisposable>;
  /** Bytes of raw files that wait for the table; null: it was never compacted. */
  waitingBytes: (table: CompactSettings, signal: AbortSignal) => Promise<bigint | null>;
  holder: string;
  leaseMs: () => number;
  table: (name: string) => CompactSettings | null;
  /** It begins: what is exported from now on it may not see. */
  taken: (name: string) => void;
  clock: Clock;
};

/** A compaction that takes longer than this is passed. */
const LONG_MS = 20_000;
/** By tables with no more than this. */
const SMALL_BYTES = 16n * 2n ** 20n;

/** The lane of all compactions, and the one for small ones while the first is busy for long. */
export function compactLanes(lane: CompactLaneDeps): Lane[] {
  let busySince: number | null = null;
  const large = new Set<string>();
  const common = { kind: 'compact', needs: ['state', 'lake'], batches: () => 1, most: 1 } as const;
  const all: Lane = {
    ...common,
    async run([work], tell, signal) {
      const table = lane.table(work.name);
      if (!table) return;
      busySince = lane.clock.now();
      try {
        await compact(lane, await lane.deps(), table, tell, signal);
      } finally {
        busySince = null;
        large.clear();
      }
    },
  };
  const small: Lane = {
    ...common,
    takes: ({ name }: Due) => busySince !== null && lane.clock.now() - busySince > LONG_MS && !large.has(name),
    async run([work], tell, signal) {
      const table = lane.table(work.name);
      if (!table) return;
      const bytes = await lane.waitingBytes(table, signal);
      if (bytes === null || bytes > SMALL_BYTES) {
        large.add(work.name);
        return;
      }
      await using opened = await lane.smallDeps();
      await compact(lane, opened.deps, table, tell, signal);
    },
  };
  return [all, small];
}

async function compact(
  { holder, leaseMs, taken }: CompactLaneDeps,
  deps: CompactDeps,
  table: CompactSettings,
  tell: Tell,
  signal: AbortSignal,
): Promise<void> {
  const name = displayName(table.name);
  taken(name);
  const work = { optimize: false, rebuild: null, fullSchema: false, look: false };
  let done = 0;
  const progress: CompactProgress = {
    started() {},
    advanced(_, bytes) {
      done += bytes;
      tell.advanced(name, 0, done);
    },
    ended: (result) => tell.ended(name, outcomeOf(result, holder), figuresOf(result)),
  };
  await compactTables(deps, { ...work, tables: [table], holder, leaseMs: leaseMs() }, progress, signal);
}

function figuresOf(result: CompactResult): Figures {
  const { version, throughRun, inserted, updated, deleted, filesAdded, filesRemoved, bytesWritten, seconds } = result;
  return {
    run: throughRun === null ? null : String(throughRun),
    rows: inserted + updated + deleted,
    lateRows: 0,
    bytes: bytesWritten,
    seconds,
    fields: { version, inserted, updated, deleted, files_added: filesAdded, files_removed: filesRemoved },
  };
}
