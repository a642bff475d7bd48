/**
 * One step of a merge: raw files into the files that hold their keys. Invariant: what it costs follows the change; files whose
 * key range, or whose keys, have no part in it are not read, or not written.
 */

import type { DuckConnection } from '../duckdb/duck.ts';
import { loadChanges, type RawFiles } from './changes.ts';
import type { AddFile, Snapshot } from './delta/actions.ts';
import { addCandidates } from './find-hits.ts';
import { candidates, emptyGone, keyRanks, type LiveFile, liveFiles, loadLive } from './live-files.ts';
import { localFiles } from './local-files.ts';
import { emptyHits, settleHits } from './matches.ts';
import { type Group, type PlannedFile, planFiles } from './plan.ts';
import { columnsOf, keyIndexes } from './read-files.ts';
import { appendSelect, rewriteSelect } from './rewrite.ts';
import { sideBySide } from './side-by-side.ts';
import { writeFiles } from './staged-files.ts';
import { fileOptions, removeOf, type Staging, type Step, stepOf } from './staging.ts';
import { loadVectors, markRows } from './vectors.ts';

/** Merges raw files into the table. Throws STAGED_KEY, STAGED_BROKEN, SPOOL_FULL. */
export async function mergeStep(
  staging: Staging,
  snapshot: Snapshot,
  raw: RawFiles,
  signal: AbortSignal,
): Promise<Step> {
  const { deps, columns, key, equality, mode } = staging;
  const main = deps.connections[0];
  const changes = await loadChanges(main, raw, { columns, key, equality }, signal);
  await deps.step('changes-read');
  const files = liveFiles(snapshot.files.values(), columns, key);
  const keys = keyIndexes(columns, key);
  await loadLive(main, files, { columns, key }, signal);
  await emptyGone(main, signal);
  await emptyHits(main, signal);
  const found = (await candidates(main, keys, equality, signal)).map((file) => files[file]);
  await addCandidates(staging, found, signal);
  const hits = await settleHits(main, signal);
  const ranks = await keyRanks(main, signal);
  const planned = files.map(
    (each): PlannedFile => ({
      file: each.file,
      bytes: each.size,
      rows: each.rows,
      gone: each.deletionVector?.cardinality ?? 0,
      hits: hits.hits.get(each.file) ?? 0,
      ...ranks.get(each.file)!,
      outdated: staging.outdated,
    }),
  );
  const plan = planFiles(planned, mode, deps.shape);
  const loaded = new Set(found.map(({ file }) => file));
  const late = plan.rewrite.flatMap((group) => group.files).filter((file) => !loaded.has(file));
  await loadVectors(
    deps.lake,
    main,
    staging.root,
    late.map((file) => files[file]),
    signal,
  );
  const inserted = changes.rows - changes.deletes - hits.updated;
  const appends = hits.updated + inserted > 0 && (inserted > 0 || plan.mark.length > 0);
  // The largest first: begun last, it would keep one connection busy while the others have nothing left.
  const sizeOf = (group: Group) => group.files.reduce((sum, file) => sum + files[file].size, 0);
  const groups = plan.rewrite.toSorted((a, b) => sizeOf(b) - sizeOf(a));
  const work: (Group | 'append')[] = [...groups, ...(appends ? ['append' as const] : [])];
  const written = await sideBySide(
    deps.connections,
    work,
    (item, connection, both) =>
      item === 'append'
        ? writeFiles(deps, connection, appendSelect(columns, keys, plan.mark), fileOptions(staging), both)
        : writeGroup(staging, item, files, planned, connection, both),
    signal,
  );
  const marked = await markRows(
    deps.lake,
    main,
    staging.root,
    plan.mark.map((file) => files[file]),
    deps.clock(),
    signal,
  );
  await deps.step('files-landed');
  const gone = [...plan.rewrite.flatMap((group) => group.files), ...plan.mark];
  const remove = gone.map((file) => removeOf(files[file], deps.clock(), true));
  await main.run('DROP TABLE changes; DROP TABLE hits; DROP TABLE gone', signal);
  return stepOf([...written.flat(), ...marked], remove, { inserted, updated: hits.updated, deleted: hits.deleted });
}

/** Writes one group's rows to new files, as far as it needs them in memory one row group at a time. */
async function writeGroup(
  staging: Staging,
  group: Group,
  files: LiveFile[],
  planned: PlannedFile[],
  connection: DuckConnection,
  signal: AbortSignal,
): Promise<AddFile[]> {
  const { deps, root, columns, key } = staging;
  await using stack = new AsyncDisposableStack();
  const wanted = group.files.map((file) => ({ key: `${root}/${files[file].path}`, bytes: files[file].size }));
  const paths = await localFiles(deps.spool, wanted, stack, signal);
  const inputs = group.files.map((file, i) => {
    const { hits, gone } = planned[file];
    return { file, path: paths[i], hits, gone };
  });
  const found = await columnsOf(connection, paths, signal);
  const select = rewriteSelect(group, inputs, { columns, key: keyIndexes(columns, key), found });
  // Twice the usual size: a file that grows a little stays one file.
  const options = fileOptions(staging, 2 * deps.shape.targetBytes);
  return await writeFiles(deps, connection, select, options, signal);
}
