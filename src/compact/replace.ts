/**
 * A full run replaces the staged table. Invariant: the new files are in one commit with the removal of the old ones; memory and
 * spool hold a batch of raw files at a time, so a table of any size passes.
 */

import { ident } from '../duckdb/literal.ts';
import type { CommittedFile, RawRun } from '../state/raw-runs.ts';
import type { AddFile, Snapshot } from './delta/actions.ts';
import { compared, refuseNull, refuseTwice } from './keys.ts';
import { localFiles } from './local-files.ts';
import { columnsOf, keyIndexes, namedColumns, scan, selectColumns } from './read-files.ts';
import { sorted } from './rewrite.ts';
import { discardFiles, writeSorted } from './staged-files.ts';
import { fileOptions, removeOf, type Staging, type Step, stepOf } from './staging.ts';

/** The step of a full run. */
export async function replaceStep(
  staging: Staging,
  snapshot: Snapshot | null,
  run: RawRun,
  signal: AbortSignal,
): Promise<Step> {
  const { deps, key } = staging;
  const batches = batchesOf(run.files, deps.batchBytes);
  const add: AddFile[] = [];
  try {
    for (const [i, batch] of batches.entries()) add.push(...(await sortBatch(staging, batch, i === 0, signal)));
    if (checksKeys(staging)) await refuseTwiceInRun(staging, signal);
  } catch (error) {
    // Tried again every few minutes, a table that cannot be staged would fill the lake.
    await discardFiles(deps, staging.root, add, signal);
    throw error;
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

/** Writes the rows of some raw files in the order of the key, and puts their keys into the table `keys` where they may occur twice. */
async function sortBatch(
  staging: Staging,
  files: CommittedFile[],
  first: boolean,
  signal: AbortSignal,
): Promise<AddFile[]> {
  const { deps, columns, key } = staging;
  const main = deps.connections[0];
  await using stack = new AsyncDisposableStack();
  const paths = await localFiles(deps.spool, files, stack, signal);
  if (key.length > 0) await refuseNull(main, paths, key, signal);
  if (checksKeys(staging)) {
    const into = first ? 'CREATE OR REPLACE TABLE keys AS' : 'INSERT INTO keys';
    const values = key.map((name, i) => `${compared(`r.${ident(name)}`, staging.equality[i])} AS k${i}`);
    await main.run(`${into} SELECT ${values} FROM ${scan(paths)} r`, signal);
  }
  const found = await columnsOf(main, paths, signal);
  const select = `SELECT ${namedColumns(columns)} FROM (SELECT ${selectColumns(columns, found, 'r')} FROM ${scan(paths)} r)`;
  // Awaited here: the local copies are given back at the end of this function.
  return await writeSorted(deps, main, sorted(select, keyIndexes(columns, key)), fileOptions(staging), signal);
}

/** A primary key needs no second look, for which DuckDB would spill every key of a large table. */
function checksKeys({ key, keyIsPrimary }: Staging): boolean {
  return key.length > 0 && !keyIsPrimary;
}

/** Of all batches: a key may be in two of them. */
async function refuseTwiceInRun({ deps, key }: Staging, signal: AbortSignal): Promise<void> {
  const main = deps.connections[0];
  const names = key.map((_, i) => `k${i}`);
  await refuseTwice(main, 'keys', names, signal);
  await main.run('DROP TABLE keys', signal);
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
