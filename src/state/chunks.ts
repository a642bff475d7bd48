/** Runs in chunks. Invariant: only the holder of the lease notes a chunk, and only while the run is planned. */

import { sql } from 'kysely';
import type { ChunkedRun, NotedChunk, UnfinishedChunks, WrittenColumn } from '../model/run.ts';
import type { StateTx } from './database.ts';
import { holdsLease, type Lease, leaseLost } from './leases.ts';
import { type ChunkPlanJson, type MarkJson, markFromJson, markToJson } from './mark-json.ts';
import { stateOf, wrongState } from './runs.ts';
import { tableIn } from './sql.ts';

/** Makes a planned run one in chunks. Throws LEASE_LOST. */
export async function planChunks(tx: StateTx, lease: Lease, run: bigint, chunked: ChunkedRun): Promise<void> {
  await mustBePlanned(tx, lease, run);
  const { plan, mark, columns, rest } = chunked;
  const json: ChunkPlanJson = { ...plan, ...(rest && { rest: { ...rest, since: markToJson(rest.since) } }) };
  await tx.db
    .updateTable('run')
    .set({
      chunk_plan: JSON.stringify(json),
      next_mark: JSON.stringify(markToJson(mark)),
      next_columns: JSON.stringify(columns),
    })
    .where('run', '=', String(run))
    .execute();
}

/** Notes a chunk whose files are uploaded and durable. A noted one stays as it is. Throws LEASE_LOST. */
export async function noteChunk(tx: StateTx, lease: Lease, run: bigint, noted: NotedChunk): Promise<void> {
  await mustBePlanned(tx, lease, run);
  const { chunk, rows, watermark } = noted;
  const [unfit, files, gone] = [noted.unfit, noted.files, noted.gone].map((value) => JSON.stringify(value));
  const broken = noted.broken?.length ? JSON.stringify(noted.broken) : null;
  await tx.db
    .insertInto('run_chunk')
    .values({ run, chunk, rows, watermark, unfit, files, gone, broken })
    // There already: the connection was lost after the commit of the first attempt.
    .onConflict((conflict) => conflict.columns(['run', 'chunk']).doNothing())
    .execute();
}

/** Takes notes back. Throws LEASE_LOST. */
export async function forgetChunks(tx: StateTx, lease: Lease, run: bigint, chunks: number[]): Promise<void> {
  await mustBePlanned(tx, lease, run);
  await tx.db
    .deleteFrom('run_chunk')
    .where('run', '=', String(run))
    .where(sql<boolean>`chunk = any(${chunks}::int[])`)
    .execute();
}

/** For a run that is no longer planned: its manifest has the files now. */
export async function closeChunks(tx: StateTx, run: bigint): Promise<void> {
  const closed = await tx.db
    .updateTable('run')
    .set({ chunk_plan: null })
    .where('run', '=', String(run))
    .where('chunk_plan', 'is not', null)
    .returning('run')
    .executeTakeFirst();
  if (closed) await tx.db.deleteFrom('run_chunk').where('run', '=', String(run)).execute();
}

/** Whether one of the uploads is a noted chunk's or the manifest's, once every step that is under way has ended. */
export async function anyNoted(tx: StateTx, lease: Lease, run: bigint, uploads: string[]): Promise<boolean> {
  // Each step holds the lease's row until its commit.
  await holdsLease(tx, lease);
  const ids = JSON.stringify(uploads);
  const { rows } = await sql<{ noted: boolean }>`
    select exists (select from ${tableIn(tx.schema, 'run_chunk')} c, jsonb_array_elements(c.files) f
        where c.run = ${run} and ${ids}::jsonb ? (f->'upload'->>'id'))
      or exists (select from ${tableIn(tx.schema, 'raw_file')} f
        where f.run = ${run} and ${ids}::jsonb ? (f.upload->>'id')) as noted`.execute(tx.db);
  return rows[0].noted;
}

async function mustBePlanned(tx: StateTx, lease: Lease, run: bigint): Promise<void> {
  if (!(await holdsLease(tx, lease))) throw leaseLost(lease);
  const state = await stateOf(tx, lease, run);
  if (state !== 'planned') throw wrongState(lease, run, state, 'planned');
}

/** What planChunks() wrote, and the chunks that are noted since. */
export async function unfinishedChunks(
  db: StateTx['db'],
  run: string,
  { rest, ...plan }: ChunkPlanJson,
  mark: MarkJson,
  columns: WrittenColumn[],
): Promise<UnfinishedChunks> {
  const noted = await notedChunks(db, run);
  const common = { plan, mark: markFromJson(mark), columns, noted };
  return rest ? { ...common, rest: { ...rest, since: markFromJson(rest.since) } } : common;
}

/** The run's noted chunks, in their order. */
async function notedChunks(db: StateTx['db'], run: string): Promise<NotedChunk[]> {
  const rows = await db
    .selectFrom('run_chunk')
    .select(['chunk', 'rows', 'watermark', 'unfit', 'files', 'gone', 'broken'])
    .where('run', '=', run)
    .orderBy('chunk')
    .execute();
  return rows.map((row) => ({ ...row, rows: BigInt(row.rows), broken: row.broken ?? undefined }));
}
