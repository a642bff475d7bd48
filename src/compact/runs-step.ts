/** The step that brings runs into a staged table: a full one replaces it, others are merged. */

import { TidemarkError } from '../model/error.ts';
import { keyOf as keyColumnsOf, type WrittenColumn } from '../model/run.ts';
import { displayName } from '../model/table.ts';
import type { RawRun } from '../state/raw-runs.ts';
import { batchColumns, stagingOf } from './batch-columns.ts';
import { isSameName } from './columns.ts';
import type { Snapshot } from './delta/actions.ts';
import { localFiles } from './local-files.ts';
import { mergeStep } from './merge.ts';
import { columnsOf } from './read-files.ts';
import { replaceStep } from './replace.ts';
import { keyOf, type Staging, type Step, throughRun } from './staging.ts';
import { sizesOf } from './table-size.ts';
import type { CompactSettings, EngineDeps } from './work.ts';

export type RunsWork = {
  settings: CompactSettings;
  /** As the last export wrote them, with the key. */
  columns: WrittenColumn[];
  /** Columns that the source has no more go from the staged table too. */
  fullSchema: boolean;
};

/** Throws STAGED_KEY, SCHEMA_CHANGED, STAGED_BROKEN, SPOOL_FULL, LAKE_*. */
export async function stepOfRuns(
  deps: EngineDeps,
  work: RunsWork,
  snapshot: Snapshot | null,
  runs: RawRun[],
  signal: AbortSignal,
): Promise<{ staging: Staging; step: Step }> {
  const { settings } = work;
  const main = deps.connections[0];
  const noted = keyColumnsOf(work.columns);
  const key = { key: noted.map(({ name }) => name), equality: noted.map(({ equality }) => equality) };
  const files = runs.flatMap((run) => run.files);
  await using stack = new AsyncDisposableStack();
  if (runs[0].full) {
    // The files of one run have the same columns: the first one is enough to know them.
    const first = await localFiles(deps.spool, files.slice(0, 1), stack, signal);
    const columns = batchColumns(snapshot, await columnsOf(main, first, signal), columnsThatStay(work));
    const staging = stagingOf(deps, settings, key, columns, files);
    return { staging, step: await replaceStep(staging, snapshot, runs[0], signal) };
  }
  refuseOtherKey(snapshot, key.key, settings, deps.state.id);
  const paths = await localFiles(deps.spool, files, stack, signal);
  // Once for all that needs it: it reads the footer of each file.
  const found = await columnsOf(main, paths, signal);
  const columns = batchColumns(snapshot, found, columnsThatStay(work));
  const staging = stagingOf(deps, settings, key, columns, sizesOf(snapshot!));
  const step = await mergeStep(staging, snapshot!, { paths, found, runs: runs.length }, signal);
  return { staging, step };
}

/** Null: all. */
export function columnsThatStay({ fullSchema, columns }: Pick<RunsWork, 'fullSchema' | 'columns'>): Set<string> | null {
  // Values that a column's type has no place for stand beside it.
  return fullSchema ? new Set(columns.flatMap(({ name }) => [name, `${name}__text`])) : null;
}

/** Files that are sorted and told apart by one key cannot be merged by another; nor do another state store's rows begin ours. */
function refuseOtherKey(snapshot: Snapshot | null, key: string[], { name }: CompactSettings, store: string): void {
  const before = throughRun(snapshot, store) > 0n ? keyOf(snapshot!) : null;
  if (before?.length === key.length && before.every((name, i) => isSameName(name, key[i]))) return;
  const message = before
    ? `the key was (${before.join(', ')}) and is (${key.join(', ')}) now`
    : 'the staged table has no full run of this state store to begin with';
  throw new TidemarkError('STAGED_KEY', message, {
    table: displayName(name),
    hint: `tidemark export --full --table ${displayName(name)}, then compact again`,
  });
}
