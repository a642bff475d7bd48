/**
 * A table's raw files into its staged table. Invariant: what the log says is through which run the table is; a run is merged in one
 * commit that says so, and a commit that another writer was faster with is made again from what is there by then.
 */

import { Manifest } from '../manifest/manifest.ts';
import { TidemarkError } from '../model/error.ts';
import { keyOf as keyColumnsOf, type WrittenColumn } from '../model/run.ts';
import { displayName } from '../model/table.ts';
import type { RawRun } from '../state/raw-runs.ts';
import { stagingOf } from './batch-columns.ts';
import { nextBatch } from './batches.ts';
import type { DeltaColumn, Snapshot } from './delta/actions.ts';
import { commit } from './delta/commit.ts';
import { optimizeStep } from './optimize.ts';
import { columnsThatStay, stepOfRuns } from './runs-step.ts';
import { discardFiles } from './staged-files.ts';
import { commitOf, isOverlapping, keyOf, type Staging, type Step, throughRun } from './staging.ts';
import { sizesOf } from './table-size.ts';
import { addCounts, type CompactDeps, type CompactSettings, type Counts, type EngineDeps, NO_COUNTS } from './work.ts';

export type Work = {
  settings: CompactSettings;
  /** As the last export wrote them, with the key. */
  columns: WrittenColumn[];
  optimize: boolean;
  /** Columns that the source has no more go from the staged table too. */
  fullSchema: boolean;
  /** Told raw bytes that are merged, or staged bytes that are put in order. */
  progress: (bytes: number) => void;
};

export type Compacted = { snapshot: Snapshot | null; counts: Counts; compacted: boolean; optimized: boolean };

/** So often a commit is made again because another writer was faster. */
const ATTEMPTS = 5;
/** Files that came out smaller than planned may go with their neighbours then. */
const ROUNDS = 3;

/** Resolves once everything exported so far is in the staged table. Throws STAGED_*, SCHEMA_CHANGED, SPOOL_FULL, LAKE_*. */
export async function compactTable(deps: CompactDeps, work: Work, signal: AbortSignal): Promise<Compacted> {
  const root = `staged/${work.settings.folder}`;
  const table = deps.table(root);
  let snapshot = await deps.snapshots.newest(table, signal);
  let counts = NO_COUNTS;
  let compacted = false;
  let conflicts = 0;
  const manifest = new Manifest(deps);
  for (;;) {
    const after = throughRun(snapshot, deps.state.id);
    const keyed = keyColumnsOf(work.columns).length > 0;
    const batch = { folder: work.settings.folder, after, keyed, batchBytes: deps.batchBytes };
    const runs = await nextBatch(manifest, batch, {}, signal);
    if (runs.length === 0) break;
    await deps.step('batch-read');
    const engine = { ...deps, connections: await deps.connect() };
    const done = await applyRuns(engine, work, snapshot, runs, signal);
    if (done === 'conflict') {
      if (++conflicts === ATTEMPTS) throw conflict(work);
      snapshot = await deps.snapshots.newest(table, signal);
      continue;
    }
    await deps.step('committed');
    snapshot = done.snapshot;
    counts = addCounts(counts, done.counts);
    compacted = true;
    work.progress(runs.reduce((sum, run) => sum + Number(run.bytes), 0));
  }
  const disorder = snapshot !== null && isOverlapping(snapshot);
  const outdated = snapshot !== null && columnsLeft(work, snapshot).length < snapshot.metadata.columns.length;
  if (!(work.optimize || disorder || outdated) || snapshot === null)
    return { snapshot, counts, compacted, optimized: false };
  const optimized = await optimizeTable({ ...deps, connections: await deps.connect() }, work, snapshot, signal);
  compacted ||= optimized.snapshot!.version > snapshot.version;
  return { ...optimized, counts: addCounts(counts, optimized.counts), compacted };
}

/** One commit: a full run, or several runs of changes. */
async function applyRuns(
  deps: EngineDeps,
  work: Work,
  snapshot: Snapshot | null,
  runs: RawRun[],
  signal: AbortSignal,
): Promise<'conflict' | { snapshot: Snapshot; counts: Counts }> {
  const applied = await stepOfRuns(deps, work, snapshot, runs, signal);
  const what = {
    through: runs.at(-1)!.run,
    operation: runs[0].full ? 'WRITE' : 'MERGE',
    parameters: { runs: JSON.stringify(runs.map(({ run }) => Number(run))), table: displayName(work.settings.name) },
  };
  const next = await land(applied.staging, snapshot, applied.step, what, signal);
  if (next === 'conflict') return next;
  return { snapshot: next, counts: applied.step.counts };
}

/** The table's columns without those that are to go. A table without a key is left as it is until its next full run. */
function columnsLeft(work: Work, snapshot: Snapshot): DeltaColumn[] {
  const only = columnsThatStay(work);
  const hasKey = (keyOf(snapshot) ?? []).length > 0;
  return snapshot.metadata.columns.filter(({ name }) => !hasKey || only === null || only.has(name));
}

async function optimizeTable(
  deps: EngineDeps,
  work: Work,
  before: Snapshot,
  signal: AbortSignal,
): Promise<Omit<Compacted, 'compacted'>> {
  let snapshot = before;
  let counts = NO_COUNTS;
  let conflicts = 0;
  for (let rounds = 0; rounds < ROUNDS; ) {
    const left = columnsLeft(work, snapshot);
    const columns = { columns: left, outdated: left.length < snapshot.metadata.columns.length };
    const key = { key: keyOf(snapshot) ?? [], equality: [] };
    const staging = stagingOf(deps, work.settings, key, columns, sizesOf(snapshot));
    const step = await optimizeStep(staging, snapshot, work.progress, signal);
    if (step === null) break;
    const next = await land(staging, snapshot, step, { through: null, operation: 'OPTIMIZE', parameters: {} }, signal);
    if (next !== 'conflict') {
      snapshot = next;
      counts = addCounts(counts, step.counts);
      rounds++;
    } else if (++conflicts === ATTEMPTS) throw conflict(work);
    else snapshot = (await deps.snapshots.newest(staging.table, signal)) ?? snapshot;
  }
  return { snapshot, counts, optimized: true };
}

/** Commits the step; the files of one that lost the race are removed. */
export async function land(
  staging: Staging,
  snapshot: Snapshot | null,
  step: Step,
  what: Parameters<typeof commitOf>[3],
  signal: AbortSignal,
): Promise<Snapshot | 'conflict'> {
  const { deps, root, table } = staging;
  await deps.step('commit');
  const next = await commit(table, snapshot, commitOf(staging, snapshot, step, what), signal);
  // A file that stays with more rows marked is in `add` too: it is not ours to delete.
  const kept = new Set(step.remove.map(({ path }) => path));
  const written = step.add.filter(({ path }) => !kept.has(path));
  if (next === 'conflict') await discardFiles(deps, root, written, signal);
  else deps.snapshots.committed(root, next);
  return next;
}

export function conflict({ settings }: Pick<Work, 'settings'>): TidemarkError {
  return new TidemarkError('STAGED_CONFLICT', `another writer was faster ${ATTEMPTS} times`, {
    table: displayName(settings.name),
    hint: 'run compact again when the other writer is done',
  });
}
