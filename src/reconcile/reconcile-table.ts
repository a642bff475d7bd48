/**
 * One table: which of its staged rows the source does not have any more, written to raw/ as deletes. Invariant: the export lease is held
 * from before the snapshot to the commit, so that a row which comes again is exported by a greater run; and the staged table's version
 * is read before the snapshot, so that each of its rows was committed in the source by then.
 */

import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withMoreMemory } from '../compact/more-memory.ts';
import type { CompactDeps } from '../compact/work.ts';
import type { PlannedRun } from '../export/raw-writer.ts';
import { recover } from '../export/recover.ts';
import type { TableWork } from '../export/work.ts';
import { TidemarkError } from '../model/error.ts';
import type { Mark } from '../model/mark.ts';
import { keyOf as keyColumnsOf } from '../model/run.ts';
import { displayName, type TableName, type TableSettings } from '../model/table.ts';
import { describeTables } from '../postgres/describe.ts';
import type { Acquired } from '../state/leases.ts';
import { isMany } from './judge.ts';
import { type Comparison, findMissing, type MissingKeys, sampleOf } from './missing-keys.ts';
import { readSourceKeys } from './source-keys.ts';
import { readStagedKeys } from './staged-keys.ts';
import { openStaged, type StagedTable } from './staged-table.ts';
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
  acquired: Acquired,
  onPlanned: (planned: PlannedRun) => void,
  signal: AbortSignal,
): Promise<Outcome> {
  const { lease } = acquired;
  const { name } = settings;
  const { step } = deps.export;
  const { mark, columns, unfinished } = await recover(deps.export, acquired, signal);
  if (unfinished)
    return skipped(
      `its export in chunks is not finished: tidemark export --table ${displayName(name)} goes on with it`,
    );
  if (mark === null || columns === null) return skipped(notExported(name));
  const staged = await openStaged(deps.compact, settings, columns, signal);
  if (typeof staged === 'string') return skipped(staged);
  await step('staged-read');
  await using folder = await workFolder(deps);
  const source = join(folder.path, 'source.parquet');
  const work = await workOf(deps, request, settings, { lease, mark, columns }, signal);
  const read = await readSourceKeys(deps.export, work, { spool: deps.compact.spool, path: source }, signal);
  await step('keys-read');
  const equality = keyColumnsOf(columns).map((each) => each.equality);
  const onRows = (rows: bigint) => request.onProgress?.(name, 'staged', rows, null);
  const compare = () => compareKeys(deps.compact, staged, { folder: folder.path, source, equality }, onRows, signal);
  const { stagedKeys, missing } = await withMoreMemory(compare, deps.compact.moreMemory);
  await step('compared');
  const { rows: deleted } = missing;
  const outcome = { ...NOTHING, keys: read.rows, stagedKeys, deleted, waitingRuns: staged.waitingRuns };
  if (deleted === 0n) return outcome;
  const [connection] = await deps.compact.connect();
  if (request.dryRun) return { ...outcome, state: 'found', sample: await sampleOf(connection, missing, signal) };
  if (!request.acceptDeletes && isMany(deleted, stagedKeys)) throw tooMany(name, deleted, stagedKeys);
  const deletes = { settings, lease, mark, columns, keys: missing, at: read.at, onPlanned };
  const run = await writeDeletes(deps.export, connection, deletes, signal);
  return { ...outcome, state: 'committed', run };
}

/** The staged keys that are not in the file `source`, as a file in the folder. */
async function compareKeys(
  deps: CompactDeps,
  { root, snapshot, key }: StagedTable,
  { folder, source, equality }: Pick<Comparison, 'source' | 'equality'> & { folder: string },
  onRows: (rows: bigint) => void,
  signal: AbortSignal,
): Promise<{ stagedKeys: bigint; missing: MissingKeys }> {
  const connections = await deps.connect();
  const staged = await readStagedKeys({ ...deps, connections }, { root, snapshot, key, folder }, onRows, signal);
  const to = join(folder, 'missing.parquet');
  const missing = await findMissing(connections[0], { snapshot, source, staged: staged.paths, equality, to }, signal);
  return { stagedKeys: staged.rows, missing };
}

export function notExported(name: TableName): string {
  return `nothing of it was exported yet: tidemark export --table ${displayName(name)} comes first`;
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
