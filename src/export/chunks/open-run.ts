/** A run in chunks that is under way: begun now, or left by a process that died. */

import { sql } from 'kysely';
import type { ChunkedRun, NotedChunk } from '../../model/run.ts';
import { displayName } from '../../model/table.ts';
import { epochMicros, rowsOf } from '../../postgres/query.ts';
import { type ColumnPlan, planColumns } from '../column-plan.ts';
import { loadDateOf } from '../open-writer.ts';
import type { PlannedRun } from '../raw-writer.ts';
import { discardRun, type UnfinishedRun } from '../recover.ts';
import type { ExportDeps, TableWork } from '../work.ts';
import { planChunked } from './begin.ts';
import { asPlanned, chunkNumbers, readsText } from './plan-chunks.ts';

export type OpenRun = {
  planned: PlannedRun;
  /** Of the lease that planned it; in the metadata of all its files. */
  token: bigint;
  chunked: ChunkedRun;
  columns: ColumnPlan;
  noted: NotedChunk[];
};

/** `export --full` begins anew after so long: rows that were deleted meanwhile would still come from the chunks that are done. */
const GO_ON_WITHIN_MICROS = 24n * 3_600_000_000n;

/** `opened` is called as soon as there is a run. */
export async function beginRun(
  deps: ExportDeps,
  work: TableWork,
  opened: (run: PlannedRun) => void,
  signal: AbortSignal,
): Promise<OpenRun> {
  const { state, step } = deps;
  const { lease, settings } = work;
  const { chunked, columns } = await planChunked(deps, work, signal);
  await step('plan');
  const { at } = chunked.mark;
  const plan = { loadDate: loadDateOf(at), snapshotAt: at, full: !chunked.rest };
  const planned = await state.plan(lease, plan, signal);
  opened(planned);
  await step('planned');
  await state.planChunks(lease, planned.run, chunked, signal);
  await step('chunks-planned');
  const table = displayName(settings.name);
  deps.log.info({ table, run: planned.run, chunks: chunkNumbers(chunked).length }, 'the table is exported in chunks');
  return { planned, token: lease.token, chunked, columns, noted: [] };
}

/** Goes on with what is left of a run; null: it was removed, for the reason that the log says. */
export async function goOn(
  deps: ExportDeps,
  work: TableWork,
  left: UnfinishedRun,
  signal: AbortSignal,
): Promise<OpenRun | null> {
  const { state, lake, log, step } = deps;
  const { lease, settings } = work;
  const { run, prefix, token, chunked } = left;
  const about = { table: displayName(settings.name), run };
  const { moneyScale } = await deps.source.facts(signal);
  const columns = planColumns(asPlanned(work.table, chunked.plan), settings, moneyScale);
  const why = await whyNot(deps, work, left, columns, signal);
  if (why !== null) {
    log.info({ ...about, why }, 'an unfinished run in chunks is removed');
    await discardRun(deps, lease, left, why, signal);
    return null;
  }
  const ids = new Set(chunked.noted.flatMap(({ files }) => files.map(({ upload }) => upload.id)));
  const kept = await lake.keepUploads(prefix, ids, signal);
  await step('leftovers-aborted');
  const isThere = ({ files }: NotedChunk) => files.every(({ upload }) => kept.has(upload.id));
  const lost = chunked.noted.filter((chunk) => !isThere(chunk)).map(({ chunk }) => chunk);
  if (lost.length > 0) {
    log.warn({ ...about, chunks: lost.length }, 'uploads of chunks have expired: these chunks are read again');
    await state.forgetChunks(lease, run, lost, signal);
  }
  const noted = chunked.noted.filter(isThere);
  log.info(
    { ...about, done: noted.length, chunks: chunkNumbers(chunked).length },
    'an unfinished run in chunks goes on',
  );
  return { planned: { run, prefix }, token, chunked, columns, noted };
}

async function whyNot(
  { source }: ExportDeps,
  { full, settings, table }: TableWork,
  { chunked: { plan, mark, rest } }: UnfinishedRun,
  columns: ColumnPlan,
  signal: AbortSignal,
): Promise<string | null> {
  if (table.oid !== plan.table) return 'the table was made anew';
  if (readsText(columns, settings) !== plan.reads) return 'the columns or the configuration have changed';
  if (!full) return null;
  if (rest) return 'every row is wanted now';
  const clock = sql<{ clock: string }>`select ${epochMicros('pg_catalog.clock_timestamp()')} as clock`;
  const [{ clock: now }] = await source.use((client) => rowsOf(client, clock), signal);
  return BigInt(now) - mark.at > GO_ON_WITHIN_MICROS ? 'it was begun more than a day ago' : null;
}
