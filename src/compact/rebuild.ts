/**
 * Makes a staged table anew from the raw files alone. Invariant: readers see the old table until the new one is whole; all in between
 * happens in memory and in files that no log names.
 */

import { Manifest } from '../manifest/manifest.ts';
import { TidemarkError } from '../model/error.ts';
import { keyOf } from '../model/run.ts';
import { displayName } from '../model/table.ts';
import { asOfFolder } from './as-of-folder.ts';
import { nextBatch } from './batches.ts';
import { type Compacted, conflict, land, type Work } from './compact-table.ts';
import type { Snapshot } from './delta/actions.ts';
import type { DeltaWriter } from './delta/commit.ts';
import { checkWritable } from './delta/protocol.ts';
import { readSnapshot } from './delta/read-log.ts';
import { snapshotAfter } from './delta/replay.ts';
import { isCode } from './delta/table.ts';
import { optimizeStep } from './optimize.ts';
import { stepOfRuns } from './runs-step.ts';
import { discardFiles } from './staged-files.ts';
import { commitOf, removeOf, type Staging, type Step, stepOf } from './staging.ts';
import { addCounts, type CompactDeps, type EngineDeps, NO_COUNTS } from './work.ts';

/** `asOf` (microseconds since 1970): as the table was then, into a folder of its own; null: all that was exported, in place. */
export async function rebuildTable(
  deps: CompactDeps,
  work: Work,
  asOf: bigint | null,
  signal: AbortSignal,
): Promise<Compacted> {
  const engine = { ...deps, connections: await deps.connect() };
  const folder = asOf === null ? work.settings.folder : asOfFolder(work.settings.folder, asOf);
  const settings = { ...work.settings, folder, merge: 'rewrite' as const };
  const built = await build(engine, { ...work, settings }, work.settings.folder, asOf, signal);
  const table = deps.table(`staged/${settings.folder}`);
  const old = await readOld(table, deps, signal);
  const now = deps.clock();
  const remove = [...(old?.files.values() ?? [])].map((add) => removeOf(add, now, true));
  const add = [...built.snapshot.files.values()].map((file) => ({ ...file, dataChange: true }));
  const step = { ...stepOf(add, remove, built.counts), overlapping: false };
  const what = { through: built.through, operation: 'WRITE', parameters: { mode: 'Overwrite', rebuild: 'true' } };
  const snapshot = await land(built.staging, old, step, what, signal);
  if (snapshot === 'conflict') throw conflict(work);
  return { snapshot, counts: step.counts, compacted: true, optimized: true };
}

/** Null where there is no table, or none that can be read or written on: its log is removed, for the new one begins where it did. */
async function readOld(table: DeltaWriter, { lake, log }: CompactDeps, signal: AbortSignal): Promise<Snapshot | null> {
  try {
    const old = await readSnapshot(table, signal);
    if (old) checkWritable(old.protocol, old.metadata);
    return old;
  } catch (error) {
    if (!isCode(error, 'STAGED_BROKEN', 'STAGED_UNSUPPORTED')) throw error;
    log.warn({ root: table.root, err: error }, 'the old log is removed');
    const keys: string[] = [];
    for await (const { key } of lake.list(`${table.root}/_delta_log/`, signal)) keys.push(key);
    await lake.delete(keys, signal);
    return null;
  }
}

type Built = { snapshot: Snapshot; staging: Staging; through: bigint; counts: typeof NO_COUNTS };

/** Files that are landed, and the snapshot that they would make; what it no longer holds is removed. */
async function build(
  engine: EngineDeps,
  work: Work,
  rawFolder: string,
  asOf: bigint | null,
  signal: AbortSignal,
): Promise<Built> {
  const keyed = keyOf(work.columns).length > 0;
  const manifest = new Manifest(engine);
  let built: Built | null = null;
  const advance = (staging: Staging, step: Step, through: bigint) => {
    const commit = commitOf(staging, built?.snapshot ?? null, step, { through, operation: 'WRITE', parameters: {} });
    const snapshot = snapshotAfter(built?.snapshot ?? null, commit, { timestamp: engine.clock(), txnId: null });
    built = { snapshot, staging, through, counts: addCounts(built?.counts ?? NO_COUNTS, step.counts) };
  };
  for (;;) {
    const batch = { folder: rawFolder, after: through(built), keyed, batchBytes: engine.batchBytes };
    const runs = await nextBatch(manifest, batch, asOf === null ? {} : { at: asOf }, signal);
    if (runs.length === 0) break;
    const before: Built | null = built;
    const { staging, step } = await stepOfRuns(engine, work, snapshotOf(before), runs, signal);
    advance(staging, step, runs.at(-1)!.run);
    await discardFiles(engine, staging.root, replaced(before, step), signal);
    work.progress(runs.reduce((sum, run) => sum + Number(run.bytes), 0));
  }
  const done = built as Built | null;
  if (done === null) throw nothingThere(work, asOf);
  const before = done;
  const step = await optimizeStep(done.staging, done.snapshot, () => {}, signal);
  if (step !== null) {
    advance(done.staging, step, done.through);
    await discardFiles(engine, done.staging.root, replaced(before, step), signal);
  }
  return built!;
}

function nothingThere({ settings }: Work, asOf: bigint | null): TidemarkError {
  const until = asOf === null ? '' : ` by ${new Date(Number(asOf / 1000n)).toISOString()}`;
  return new TidemarkError('STAGED_MISSING', `nothing of the table was exported${until}`, {
    table: displayName(settings.name),
    hint: 'tidemark export comes first',
  });
}

const through = (built: Built | null) => built?.through ?? 0n;
const snapshotOf = (built: Built | null) => built?.snapshot ?? null;

/** The files of the step before that this one wrote again: no log ever names them. */
function replaced(built: Built | null, step: Step) {
  return step.remove.flatMap(({ path }) => built?.snapshot.files.get(path) ?? []);
}
