/** Which runs are made under which lease. Invariant: of the runs under one lease of a table at most one is open. */

import type { RunKind } from './schema.ts';

/** What leases are given for. Archiving makes no runs. */
export type LeaseKind = 'export' | 'compact' | 'archive';

/** A reconciliation is under the lease of exports, so that run numbers and snapshots of a table are in one order. */
export function runsUnder(kind: LeaseKind): RunKind[] {
  if (kind === 'archive') return [];
  return kind === 'export' ? ['export', 'reconcile'] : [kind];
}

/** What the holder's own runs are. `runs` absent: what the lease is called. */
export function ownRuns({ kind, runs }: { kind: LeaseKind; runs?: 'reconcile' }): RunKind {
  return runs ?? (kind === 'archive' ? 'export' : kind);
}
