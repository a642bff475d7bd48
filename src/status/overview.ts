/** What the first page shows, as plain data with absolute times: two that are equal look the same. Pure. */

import { staleness } from '../cli/staged-health.ts';
import type { Away, Ended, ShownError, WorkKind, WorkState } from '../daemon/board.ts';
import { displayName } from '../model/table.ts';
import type { TableStatus } from '../state/tables.ts';
import type { LoadCounts } from './ledger-look.ts';

/** Due for so long and not begun: something is in its way. */
const OVERDUE_MS = 60_000;
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
  /** The export's and the compaction's. */
  nextAt: number | null;
  nextCompactAt: number | null;
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
    away: [...input.away].map(([service, away]) => ({ service, ...away })),
    tables: tables.sort(worstFirst),
    loads: input.loads.map(({ name, counts }) => loadLine(name, counts, loadWorks.get(name), input.now)),
    runs: input.ended.slice(0, RUNS),
  };
}

function tableLine(
  name: string,
  status: TableStatus | null,
  works: ReadonlyMap<WorkKind, WorkState> | undefined,
  { now, holder }: Pick<OverviewInput, 'now' | 'holder'>,
): TableLine {
  const each = [...(works?.values() ?? [])];
  const failing = each.flatMap(failingOf);
  // What another process met: the board here knows nothing of it.
  const told = (kind: WorkKind, failure: { failedAt: string; error: ShownErrorLike } | null | undefined) => {
    if (!failure || failing.some((one) => one.kind === kind)) return;
    failing.push({
      kind,
      since: Date.parse(failure.failedAt),
      times: null,
      retryAt: null,
      slow: false,
      error: shown(failure.error),
    });
  };
  told('export', status?.failure);
  told('compact', status?.staged?.failure);
  const running = each.flatMap(runningOf);
  const nextAt = works?.get('export')?.nextAt ?? null;
  const staged = status?.staged ?? null;
  const lease = status?.lease;
  const heldBy = lease && !lease.expired && lease.holder !== holder ? lease.holder : null;
  const late = each.some((work) => overdue(work, now));
  const warnings = status === null ? [] : warningsOf(status, now);
  const paused = status?.paused ? { by: status.paused.by, at: Date.parse(status.paused.at) } : null;
  return {
    name,
    folder: status?.folder ?? null,
    rank: rankOf({ failing, late, warnings, paused, heldBy, running }),
    seenAt: status?.mark ? Date.parse(status.mark.at) : null,
    lastRun: status?.lastRun
      ? {
          run: String(status.lastRun.run),
          at: Date.parse(status.lastRun.finishedAt),
          rows: status.lastRun.rows,
          lateRows: status.lastRun.lateRows,
          full: status.lastRun.full,
        }
      : null,
    watermark: status?.mark?.watermark ?? null,
    failing,
    warnings,
    paused,
    heldBy,
    chunks: status?.chunks ? { ...status.chunks, run: String(status.chunks.run) } : null,
    staged: staged && {
      version: staged.version,
      waitingRows: staged.waiting.rows,
      waitingSince: staged.waiting.since === null ? null : Date.parse(staged.waiting.since),
    },
    running,
    nextAt,
    nextCompactAt: works?.get('compact')?.nextAt ?? null,
  };
}

function loadLine(name: string, counts: LoadCounts | null, work: WorkState | undefined, now: number): LoadLine {
  const failing = work ? failingOf(work) : [];
  const running = work ? runningOf(work) : [];
  const late = work !== undefined && overdue(work, now);
  return {
    name,
    rank: rankOf({ failing, late, running }),
    running,
    failing,
    nextAt: work?.nextAt ?? null,
    counts,
  };
}

type ShownErrorLike = { code: string; message: string; hint?: string };

function shown({ code, message, hint }: ShownErrorLike): ShownError {
  return { code, message, hint: hint ?? null };
}

function failingOf({ kind, trouble }: WorkState): Failing[] {
  return trouble === null ? [] : [{ kind, ...trouble }];
}

function runningOf({ kind, running }: WorkState): Running[] {
  return running === null ? [] : [{ kind, since: running.since, rows: running.rows }];
}

function overdue({ running, nextAt, trouble }: WorkState, now: number): boolean {
  return running === null && trouble === null && nextAt !== null && nextAt < now - OVERDUE_MS;
}

type Ranked = Pick<TableLine, 'failing' | 'running'> &
  Partial<Pick<TableLine, 'warnings' | 'paused' | 'heldBy'>> & { late: boolean };

function rankOf({ failing, late, warnings = [], paused = null, heldBy = null, running }: Ranked): Rank {
  if (failing.length > 0) return 'failing';
  // A paused table is late for a reason.
  if (paused !== null) return 'paused';
  if (late) return 'late';
  if (warnings.length > 0) return 'warning';
  if (heldBy !== null) return 'held';
  return running.length > 0 ? 'running' : 'well';
}

function warningsOf(status: TableStatus, now: number): string[] {
  const stale = staleness(status, now);
  return [
    ...(stale === null ? [] : [stale]),
    ...(status.mark?.doubt ? [`${status.mark.doubt.why}; export it with --full`] : []),
    ...status.broken.map(({ column, rule, count }) => `${count} rows of the last run break ${rule} of ${column}`),
  ];
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
