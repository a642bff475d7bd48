/**
 * Reconciliations, one table after another. Invariant: none is begun while this process exports the table, and no export of it while it
 * is reconciled: both need the table's export lease.
 */

import { displayName, type TableSettings } from '../model/table.ts';
import type { Reconciled } from '../reconcile/work.ts';
import type { Outcome } from './agenda.ts';
import type { Clock } from './clock.ts';
import { type Figures, type Lane, NO_FIGURES } from './lane.ts';

export type ReconcileLaneDeps = {
  /** Waits until nothing else has all of DuckDB's memory; `begun` is called once it is at the table. */
  reconcile: (table: TableSettings, begun: () => void, signal: AbortSignal) => Promise<Reconciled>;
  table: (name: string) => TableSettings | null;
  /** Whether this process exports the table. */
  isExporting: (name: string) => boolean;
  /** The table that is reconciled; null: none is. */
  at: (name: string | null) => void;
  /** Deleted rows were written that wait for a compaction. */
  wrote: (table: TableSettings, rows: bigint) => void;
  holder: string;
  clock: Clock;
  /** Whether another process did it since `firedAt`. */
  doneSince: (name: string, firedAt: number, signal: AbortSignal) => Promise<boolean>;
};

/** An export's lease goes back a moment after its end; a second look costs little. */
const OWN_MS = 250;
const OWN_TIMES = 20;
/** A table that another process works on, or that somebody paused, is tried again so soon. */
const HELD_MS = 10_000;
const PAUSED_MS = 300_000;

export function reconcileLane(lane: ReconcileLaneDeps): Lane {
  return {
    kind: 'reconcile',
    needs: ['source', 'state', 'lake'],
    batches: () => 1,
    most: 1,
    takes: ({ name }) => !lane.isExporting(name),
    async run([{ name, firedAt }], tell, signal) {
      const table = lane.table(name);
      if (!table) return;
      if (firedAt !== null && (await lane.doneSince(name, firedAt, signal))) {
        tell.ended(name, { state: 'skipped' }, NO_FIGURES);
        return;
      }
      try {
        const done = await untilFree(lane, table, signal);
        tell.ended(name, outcomeOf(done, lane.clock.now()), figuresOf(done));
        if (done.state === 'committed') lane.wrote(table, done.deleted);
      } finally {
        lane.at(null);
      }
    },
  };
}

/** Again while this process's own export has the lease, which it gives back soon. */
async function untilFree(lane: ReconcileLaneDeps, table: TableSettings, signal: AbortSignal): Promise<Reconciled> {
  const begun = () => lane.at(displayName(table.name));
  for (let times = 1; ; times++) {
    const done = await lane.reconcile(table, begun, signal);
    signal.throwIfAborted();
    if (done.held?.holder !== lane.holder || times === OWN_TIMES) return done;
    await lane.clock.sleep(OWN_MS, signal);
    signal.throwIfAborted();
  }
}

function outcomeOf({ state, error, held }: Reconciled, now: number): Outcome {
  if (state === 'failed') return { state, error };
  if (held) return { state: 'held', until: now + (held.pausedSince === undefined ? HELD_MS : PAUSED_MS) };
  return { state: state === 'committed' ? 'done' : 'nothing' };
}

function figuresOf({ run, keys, stagedKeys, deleted, waitingRuns, seconds, reason }: Reconciled): Figures {
  return {
    run: run === null ? null : String(run),
    rows: Number(deleted),
    lateRows: 0,
    bytes: 0,
    seconds,
    ...(reason !== null && { reason }),
    fields: {
      keys: Number(keys),
      staged_keys: Number(stagedKeys),
      ...(waitingRuns > 0n && { waiting_runs: Number(waitingRuns) }),
      ...(reason !== null && { reason }),
    },
  };
}
