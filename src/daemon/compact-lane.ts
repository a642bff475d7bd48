/**
 * Compactions. A large one may take all the memory that DuckDB has: one at a time. Small ones, which mostly wait for the lake, go side by
 * side, and pass a large one. DuckDB is loaded when there is something to merge.
 */

import { createRoom } from '../bounded/room.ts';
import { compactTables } from '../compact/compact-tables.ts';
import type { CompactProgress, CompactResult } from '../compact/result.ts';
import type { CompactDeps, CompactSettings } from '../compact/work.ts';
import { displayName } from '../model/table.ts';
import type { Clock } from './clock.ts';
import { outcomeOf } from './export-lane.ts';
import type { Figures, Lane, Tell } from './lane.ts';

export type CompactLaneDeps = {
  /** With all the memory that DuckDB may have. */
  alone: (work: (deps: CompactDeps) => Promise<void>, signal: AbortSignal) => Promise<void>;
  /** With a connection of its own, while nothing large is under way. */
  aside: (work: (deps: CompactDeps) => Promise<void>) => Promise<void>;
  /** With a DuckDB of its own that has little memory, while something large has all of the other's. */
  beside: (work: (deps: CompactDeps) => Promise<void>) => Promise<void>;
  /** Whether something else has all the memory that DuckDB may have. */
  isTaken: () => boolean;
  /** Bytes of raw files that wait for the table; null: it was never compacted. */
  waitingBytes: (table: CompactSettings, signal: AbortSignal) => Promise<bigint | null>;
  holder: string;
  leaseMs: () => number;
  table: (name: string) => CompactSettings | null;
  /** It begins: what is exported from now on it may not see. */
  taken: (name: string) => void;
  clock: Clock;
};

const SMALL_AT_ONCE = 4;
/** Raw files of a small one, and of all small ones at once. Unpacked they are about ten times as much. */
const SMALL_BYTES = 16 * 2 ** 20;

/** The lane of small compactions, through which all go first, and that of large ones. */
export function compactLanes(lane: CompactLaneDeps): Lane[] {
  const common = { kind: 'compact', needs: ['state', 'lake'], most: 1 } as const;
  /** Known to be large until it was done. */
  const large = new Set<string>();
  let isLarge = false;
  const isBusy = () => isLarge || lane.isTaken();
  const room = createRoom(SMALL_AT_ONCE, SMALL_BYTES);
  const besideRoom = createRoom(1, SMALL_BYTES);

  const runSmall = async (table: CompactSettings, tell: Tell, signal: AbortSignal) => {
    const name = displayName(table.name);
    const bytes = await lane.waitingBytes(table, signal);
    if (bytes === null || bytes > SMALL_BYTES) return void large.add(name);
    const told: Tell = {
      ...tell,
      ended(_, outcome, figures) {
        // Rows too wide for a part of the memory: it gets all of it.
        const isTooLarge = outcome.state === 'failed' && isMemory(outcome.error);
        if (isTooLarge) large.add(name);
        else tell.ended(name, outcome, figures);
      },
    };
    const leave = await (isBusy() ? besideRoom : room).take(Number(bytes), signal);
    try {
      await (isBusy() ? lane.beside : lane.aside)((deps) => compact(lane, deps, table, told, signal));
    } finally {
      leave();
    }
  };
  const runLarge = async (table: CompactSettings, tell: Tell, signal: AbortSignal) => {
    isLarge = true;
    try {
      await lane.alone((deps) => compact(lane, deps, table, tell, signal), signal);
    } finally {
      isLarge = false;
      large.delete(displayName(table.name));
    }
  };
  const run =
    (how: (table: CompactSettings, tell: Tell, signal: AbortSignal) => Promise<void>): Lane['run'] =>
    async ([{ name }], tell, signal) => {
      const table = lane.table(name);
      if (table) await how(table, tell, signal);
    };
  return [
    { ...common, batches: () => SMALL_AT_ONCE, takes: ({ name }) => !large.has(name), run: run(runSmall) },
    { ...common, batches: () => 1, takes: ({ name }) => large.has(name), run: run(runLarge) },
  ];
}

function isMemory(error: unknown): boolean {
  return (error as { code?: string }).code === 'MEMORY_FULL';
}

async function compact(
  { holder, leaseMs, taken, clock }: CompactLaneDeps,
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
    ended: (result) => tell.ended(name, outcomeOf(result, holder, clock.now()), figuresOf(result)),
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
