/** What the first page shows, as plain data with absolute times: two that are equal look the same. Pure. */

import type { Away, Ended, ShownError, WorkKind, WorkState } from '../daemon/board.ts';
import { displayName } from '../model/table.ts';
import type { TableStatus } from '../state/tables.ts';
import type { LoadCounts } from './ledger-counts.ts';
import { loadLine, tableLine } from './overview-lines.ts';

const RUNS = 40;

/** The worst first. */
export const RANKS = ['failing', 'late', 'warning', 'paused', 'held', 'running', 'well'] as const;
export type Rank = (typeof RANKS)[number];

export type Running = { kind: WorkKind; since: number; rows: number };

/** `times`, `retryAt`: null where another process failed, of which the state store alone tells. */
export type Failing = {
  kind: WorkKind;
  since: number;
  times: number | null;
  retryAt: number | null;
  slow: boolean;
  error: ShownError;
};

export type TableLine = {
  name: string;
  /** Null: no run has begun yet, so there is no page of it. */
  folder: string | null;
  rank: Rank;
  /** When the source was last looked at. */
  seenAt: number | null;
  lastRun: { run: string; at: number; rows: bigint; lateRows: bigint; full: boolean } | null;
  watermark: string | null;
  failing: Failing[];
  /** What somebody should look at though runs succeed. */
  warnings: string[];
  paused: { by: string; at: number } | null;
  heldBy: string | null;
  /** Of a large run that is not finished. */
  chunks: { run: string; done: number; of: number } | null;
  staged: { version: bigint | null; waitingRows: bigint; waitingSince: number | null } | null;
  running: Running[];
  /** The export's, the compaction's and the reconciliation's. */
  nextAt: number | null;
  nextCompactAt: number | null;
  nextReconcileAt: number | null;
};

export type LoadLine = {
  name: string;
  rank: Rank;
  running: Running[];
  failing: Failing[];
  nextAt: number | null;
  /** Null: the target was not asked yet, or does not answer. */
  counts: LoadCounts | null;
};

export type Overview = {
  /** When the daemon started. */
  startedAt: number;
  /** False: the state store has not answered since the start. */
  known: boolean;
  away: (Away & { service: string })[];
  tables: TableLine[];
  loads: LoadLine[];
  runs: readonly Ended[];
};

export type OverviewInput = {
  startedAt: number;
  tables: TableStatus[] | null;
  works: WorkState[];
  away: ReadonlyMap<string, Away>;
  ended: readonly Ended[];
  /** How this process is called in leases. */
  holder: string;
  /** As configured. */
  loads: { name: string; counts: LoadCounts | null }[];
  now: number;
};

export function overviewOf(input: OverviewInput): Overview {
  const byName = new Map<string, Map<WorkKind, WorkState>>();
  const loadWorks = new Map<string, WorkState>();
  for (const work of input.works) {
    if (work.kind === 'load') {
      loadWorks.set(work.name, work);
      continue;
    }
    const works = byName.get(work.name) ?? new Map<WorkKind, WorkState>();
    byName.set(work.name, works.set(work.kind, work));
  }
  const tables = (input.tables ?? []).map((status) => {
    const name = displayName(status.table);
    const works = byName.get(name);
    byName.delete(name);
    return tableLine(name, status, works, input);
  });
  for (const [name, works] of byName) tables.push(tableLine(name, null, works, input));
  return {
    startedAt: input.startedAt,
    known: input.tables !== null,
    // A load whose target or drops are away fails, and says so in its own line.
    away: [...input.away]
      .filter(([service]) => !service.startsWith('load '))
      .map(([service, away]) => ({ service: service === 'state' ? 'state store' : service, ...away })),
    tables: tables.sort(worstFirst),
    loads: input.loads.map(({ name, counts }) => loadLine(name, counts, loadWorks.get(name), input.now)),
    runs: input.ended.slice(0, RUNS),
  };
}

/** Who fails for longest is first. The others by name: lines that change places every second cannot be read. */
function worstFirst(a: TableLine, b: TableLine): number {
  return (
    places(a) - places(b) ||
    (a.failing[0]?.since ?? 0) - (b.failing[0]?.since ?? 0) ||
    (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  );
}

function places({ rank }: TableLine): number {
  return Math.min(RANKS.indexOf(rank), RANKS.indexOf('paused'));
}
