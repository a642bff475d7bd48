/** Puts a table's files in order: sorted by key, none overlapping, none with deleted rows. Invariant: its rows stay what they are. */

import { text } from '../duckdb/literal.ts';
import type { AddFile, Snapshot } from './delta/actions.ts';
import { emptyGone, keyRanks, type LiveFile, liveFiles, loadLive } from './live-files.ts';
import { localFiles } from './local-files.ts';
import { type Fold, planOptimize } from './optimize-plan.ts';
import { columnsOf, keyIndexes } from './read-files.ts';
import { rewriteSelect } from './rewrite.ts';
import { writeFiles, writeSorted } from './staged-files.ts';
import { fileOptions, isOverlapping, removeOf, type Staging, type Step, stepOf } from './staging.ts';
import { duckTypeOf } from './types.ts';
import { loadVectors } from './vectors.ts';

/** The step, or null when the files are in order. `progress` is told the bytes that were put in order. */
export async function optimizeStep(
  staging: Staging,
  snapshot: Snapshot,
  progress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Step | null> {
  const { deps, columns, key, outdated } = staging;
  if (key.length === 0) return null;
  const main = deps.connections[0];
  const files = liveFiles(snapshot.files.values(), columns, key);
  await loadLive(main, files, { columns, key }, signal);
  const ranks = await keyRanks(main, signal);
  const planned = files.map(({ file, size, rows, deletionVector }) => {
    const gone = deletionVector?.cardinality ?? 0;
    return { file, bytes: size, rows, gone, hits: 0, ...ranks.get(file)!, outdated };
  });
  const folds = planOptimize(planned, deps.shape, deps.batchBytes);
  if (folds.length === 0 && !outdated && !isOverlapping(snapshot)) return null;
  const add: AddFile[] = [];
  for (const fold of folds) {
    await emptyGone(main, signal);
    await loadVectors(
      deps.lake,
      main,
      staging.root,
      fold.files.map((file) => files[file]),
      signal,
    );
    for (const i of fold.ranges.keys()) add.push(...(await writeRange(staging, fold, i, files, signal)));
    progress(fold.files.reduce((sum, file) => sum + files[file].size, 0));
  }
  await deps.step('files-landed');
  await main.run('DROP TABLE IF EXISTS gone', signal);
  const remove = folds.flatMap((fold) => fold.files).map((file) => removeOf(files[file], deps.clock(), false));
  return { ...stepOf(add, remove, { inserted: 0, updated: 0, deleted: 0 }), overlapping: false };
}

async function writeRange(
  staging: Staging,
  fold: Fold,
  i: number,
  files: LiveFile[],
  signal: AbortSignal,
): Promise<AddFile[]> {
  const { deps, root, columns, key } = staging;
  const main = deps.connections[0];
  await using stack = new AsyncDisposableStack();
  const chosen = fold.ranges[i].files.map((file) => files[file]);
  const wanted = chosen.map(({ path, size }) => ({ key: `${root}/${path}`, bytes: size }));
  const paths = await localFiles(deps.spool, wanted, stack, signal);
  const inputs = chosen.map(({ file, deletionVector }, at) => {
    return { file, path: paths[at], hits: 0, gone: deletionVector?.cardinality ?? 0 };
  });
  const keys = keyIndexes(columns, key);
  const found = await columnsOf(main, paths, signal);
  const type = duckTypeOf(columns[keys[0]].type);
  const least = (range: Fold['ranges'][number] | undefined) =>
    range?.from == null ? null : `${text(files[range.from].statistics!.min.get(key[0])!)}::${type}`;
  const where = { from: least(fold.ranges[i]), before: least(fold.ranges[i + 1]) };
  const group = { files: fold.ranges[i].files, sort: true };
  const select = rewriteSelect(group, inputs, { columns, key: keys, found, where });
  const options = { ...fileOptions(staging), dataChange: false };
  const newest = fold.last && i === fold.ranges.length - 1;
  return await (newest ? writeSorted : writeFiles)(deps, main, select, options, signal);
}
