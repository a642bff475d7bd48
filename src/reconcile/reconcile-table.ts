/**
 * One table: which of its staged rows the source does not have any more, written to raw/ as deletes. Invariant: the export lease is held
 * from before the snapshot to the commit, so that a row which comes again is exported by a greater run; and the staged table's version
 * is read before the snapshot, so that each of its rows was committed in the source by then.
 */

import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isSameName } from '../compact/columns.ts';
import type { Snapshot } from '../compact/delta/actions.ts';
import { readSnapshot } from '../compact/delta/read-log.ts';
import { withMoreMemory } from '../compact/more-memory.ts';
import { keyOf, throughRun } from '../compact/staging.ts';
import type { PlannedRun } from '../export/raw-writer.ts';
import { recover } from '../export/recover.ts';
import type { TableWork } from '../export/work.ts';
import { TidemarkError } from '../model/error.ts';
import type { Mark } from '../model/mark.ts';
import { keyOf as keyColumnsOf, type WrittenColumn } from '../model/run.ts';
import { displayName, type TableName, type TableSettings } from '../model/table.ts';
import { describeTables } from '../postgres/describe.ts';
import type { Acquired } from '../state/leases.ts';
import { isMany } from './judge.ts';
import { findMissing, sampleOf } from './missing-keys.ts';
import { readSourceKeys } from './source-keys.ts';
import { readStagedKeys } from './staged-keys.ts';
import type { ReconcileDeps, Reconciled, ReconcileRequest } from './work.ts';
import { writeDeletes } from './write-deletes.ts';

export type Outcome = Pick<
  Reconciled,
  'state' | 'run' | 'keys' | 'stagedKeys' | 'deleted' | 'waitingRuns' | 'reason' | 'sample'
>;

const NOTHING: Outcome = {
  state: 'nothing',
  run: null,
  keys: 0n,
  stagedKeys: 0n,
  deleted: 0n,
  waitingRuns: 0n,
  reason: null,
  sample: [],
};

export function skipped(reason: string): Outcome {
  return { ...NOTHING, state: 'skipped', reason };
}

/** `onPlanned`: told of its run once it has one. Throws RECONCILE_HISTORY, RECONCILE_MANY, STAGED_KEY, and what an export or a compaction of the table throws. */
export async function reconcileTable(
  deps: ReconcileDeps,
  request: ReconcileRequest,
  settings: TableSettings,
  found: Acquired,
  onPlanned: (planned: PlannedRun) => void,
  signal: AbortSignal,
): Promise<Outcome> {
  const { lease } = found;
  const table = displayName(settings.name);
  const { mark, columns, unfinished } = await recover(deps.export, found, signal);
  if (unfinished)
    return skipped(`its export in chunks is not finished: tidemark export --table ${table} goes on with it`);
  if (mark === null || columns === null) return skipped(notExported(settings.name));
  const root = `staged/${settings.folder}`;
  const snapshot = await readSnapshot(deps.compact.table(root), signal);
  const through = throughRun(snapshot, deps.compact.state.id);
  if (snapshot === null || through === 0n)
    return skipped(
      `${snapshot === null ? 'there is no staged table' : 'the staged table is of another state store'}: tidemark compact --table ${table} comes first`,
    );
  const key = stagedKey(settings.name, snapshot, columns);
  const waiting = (await deps.compact.state.stagedOf([settings.folder], signal)).get(settings.folder)?.waiting;
  await deps.export.step('staged-read');
  await using folder = await workFolder(deps);
  const source = join(folder.path, 'source.parquet');
  const work = await workOf(deps, request, settings, { lease, mark, columns }, signal);
  const read = await readSourceKeys(deps.export, work, { spool: deps.compact.spool, path: source }, signal);
  await deps.export.step('keys-read');
  const to = join(folder.path, 'missing.parquet');
  const connections = await deps.compact.connect();
  const compare = async () => {
    const staged = await readStagedKeys(
      { ...deps.compact, connections },
      { root, snapshot, key, folder: folder.path },
      (rows) => request.onProgress?.(settings.name, 'staged', rows, null),
      signal,
    );
    const equality = keyColumnsOf(columns).map((each) => each.equality);
    const missing = await findMissing(connections[0], { snapshot, source, staged: staged.paths, equality, to }, signal);
    return { staged, missing };
  };
  const { staged, missing } = await withMoreMemory(compare, deps.compact.moreMemory);
  await deps.export.step('compared');
  const outcome: Outcome = {
    ...NOTHING,
    keys: read.rows,
    stagedKeys: staged.rows,
    deleted: missing.rows,
    waitingRuns: waiting?.runs ?? 0n,
  };
  if (missing.rows === 0n) return outcome;
  if (request.dryRun)
    return { ...outcome, state: 'found', sample: await sampleOf(connections[0], to, missing.columns, signal) };
  if (!request.acceptDeletes && isMany(missing.rows, staged.rows))
    throw tooMany(settings.name, missing.rows, staged.rows);
  const keys = { path: to, rows: missing.rows, columns: missing.columns };
  const run = await writeDeletes(
    deps.export,
    connections[0],
    { settings, lease, mark, columns, keys, at: read.at, onPlanned },
    signal,
  );
  return { ...outcome, state: 'committed', run };
}

export function notExported(name: TableName): string {
  return `nothing of it was exported yet: tidemark export --table ${displayName(name)} comes first`;
}

/** The key's columns as the staged table names them. Throws STAGED_KEY where it has another key. */
function stagedKey(name: TableName, snapshot: Snapshot, columns: WrittenColumn[]): string[] {
  const key = keyOf(snapshot) ?? [];
  const now = keyColumnsOf(columns).map((column) => column.name);
  if (key.length === now.length && key.every((each, i) => isSameName(each, now[i]))) return key;
  throw new TidemarkError('STAGED_KEY', `the key was (${key.join(', ')}) and is (${now.join(', ')}) now`, {
    table: displayName(name),
    hint: `tidemark export --full --table ${displayName(name)}, then compact`,
  });
}

async function workOf(
  { export: { source } }: ReconcileDeps,
  { onProgress }: ReconcileRequest,
  settings: TableSettings,
  from: Pick<TableWork, 'lease' | 'columns'> & { mark: Mark },
  signal: AbortSignal,
): Promise<TableWork & { mark: Mark }> {
  const [table] = await source.use((client) => describeTables(client, [settings.name], source.types), signal);
  if (!table) throw new TidemarkError('TABLE_UNKNOWN', 'there is no such table', { table: displayName(settings.name) });
  const report: TableWork['onProgress'] = (rows) => onProgress?.(settings.name, 'source', rows, table.estimatedRows);
  return { ...from, settings, table, full: true, onProgress: report };
}

async function workFolder({ compact }: ReconcileDeps): Promise<{ path: string } & AsyncDisposable> {
  const path = compact.spool.path(`reconcile-${randomUUID()}`);
  await mkdir(path);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

function tooMany(name: TableName, deleted: bigint, staged: bigint): TidemarkError {
  const table = displayName(name);
  return new TidemarkError('RECONCILE_MANY', `${deleted} of ${staged} rows are not in the source any more`, {
    table,
    hint: `is it the right database, with all of its rows? If so, tidemark reconcile --table ${table} --accept-deletes`,
  });
}
