/**
 * A full run replaces the staged table. Invariant: the new files are in one commit with the removal of the old ones; memory and
 * spool hold a batch of raw files at a time, so a table of any size passes.
 */

import { ident } from '../duckdb/literal.ts';
import type { RawRun } from '../state/raw-runs.ts';
import type { AddFile, Snapshot } from './delta/actions.ts';
import { compared, refuseNull, refuseTwice } from './keys.ts';
import { columnsOf, keyIndexes, namedColumns, scan, selectColumns } from './read-files.ts';
import { sorted } from './rewrite.ts';
import { writeSorted } from './staged-files.ts';
import { fileOptions, removeOf, type Staging, type Step, stepOf } from './staging.ts';

/** The step of a full run, and whether its files are in several sequences that are each in order but overlap. */
export async function replaceStep(
  staging: Staging,
  snapshot: Snapshot | null,
  run: RawRun,
  signal: AbortSignal,
): Promise<Step & { overlapping: boolean }> {
  const { deps, columns, key } = staging;
  const batches = batchesOf(run.files, deps.batchBytes);
  const add: AddFile[] = [];
  for (const batch of batches) {
    await using stack = new AsyncDisposableStack();
    const paths: string[] = [];
    for (const { key: raw, bytes } of batch) paths.push(stack.use(await deps.spool.read(raw, { bytes }, signal)).path);
    const main = deps.connections[0];
    if (key.length > 0) await refuseNull(main, paths, key, signal);
    // A primary key needs no second look, which has every key of the table in memory.
    if (key.length > 0 && !staging.keyIsPrimary)
      await refuseTwice(
        main,
        scan(paths),
        key.map((name, i) => compared(ident(name), staging.equality[i])),
        signal,
      );
    const found = await columnsOf(main, paths, signal);
    const select = `SELECT ${namedColumns(columns)} FROM (SELECT ${selectColumns(columns, found, 'r')} FROM ${scan(paths)} r)`;
    add.push(
      ...(await writeSorted(deps, main, sorted(select, keyIndexes(columns, key)), fileOptions(staging), signal)),
    );
  }
  await deps.step('files-landed');
  const now = deps.clock();
  const old = [...(snapshot?.files.values() ?? [])];
  const step = stepOf(
    add,
    old.map((file) => removeOf(file, now, true)),
    { inserted: Number(run.rows), updated: 0, deleted: 0 },
  );
  return { ...step, overlapping: batches.length > 1 && key.length > 0 };
}

function batchesOf<File extends { bytes: number }>(files: File[], mostBytes: number): File[][] {
  const batches: File[][] = [];
  let bytes = 0;
  for (const file of files) {
    if (batches.length === 0 || bytes + file.bytes > mostBytes) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)!.push(file);
    bytes += file.bytes;
  }
  return batches;
}
