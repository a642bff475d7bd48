/** Runs that came to nothing. Invariant: a run is closed here only once nothing of it is left in the lake; the manifest is never touched. */

import { sql } from 'kysely';
import type { TidemarkError } from '../model/error.ts';
import type { StateTx } from './database.ts';
import { holdsLease, type Lease, leaseLost } from './leases.ts';
import { ownRuns } from './run-kinds.ts';
import { stateOf, wrongState } from './runs.ts';
import type { RunError, RunKind } from './schema.ts';
import { now, tableIn } from './sql.ts';

/** Closed runs without files that are kept of each table, for people who look for what went wrong. */
const KEPT = 10;
/** Longer messages than this are cut: a server may send the whole statement back. */
const MESSAGE = 4_000;

export type Failure = Pick<TidemarkError, 'code' | 'message'> & { hint?: string; place?: TidemarkError['place'] };

/** Notes the error on an open run, which stays open: only a clean-up may close it. Needs no lease, for it decides nothing. */
export async function noteFailure({ db }: StateTx, lease: Lease, run: bigint, error: Failure): Promise<void> {
  const noted = await db
    .updateTable('run')
    .set({ failed_at: now, error: JSON.stringify(errorJson(error)) })
    .where('run', '=', String(run))
    .where('table_id', '=', lease.tableId)
    .where('state', 'in', ['planned', 'prepared'])
    .returning('kind')
    .executeTakeFirst();
  if (noted) await pointAt(db, noted.kind, lease, run);
}

/** Writes down a run that failed before it was planned. */
export async function insertFailure(tx: StateTx, lease: Lease, run: bigint, error: Failure): Promise<void> {
  await tx.db
    .insertInto('run')
    .values({
      run,
      kind: ownRuns(lease),
      table_id: lease.tableId,
      state: 'failed',
      token: lease.token,
      finished_at: now,
      failed_at: now,
      error: JSON.stringify(errorJson(error)),
    })
    // There already: the connection was lost after the commit of the first attempt.
    .onConflict((conflict) => conflict.column('run').doNothing())
    .execute();
  await pointAt(tx.db, ownRuns(lease), lease, run);
  await prune(tx, lease);
}

// Each kind has its own: a failed compaction must not look like a failed export, nor be cleared by one that succeeds.
async function pointAt(db: StateTx['db'], kind: RunKind, { tableId }: Lease, run: bigint): Promise<void> {
  // The next export would clear it.
  if (kind === 'reconcile') return;
  if (kind === 'export') {
    await db.updateTable('source_table').set({ failed_run: run }).where('id', '=', tableId).execute();
    return;
  }
  await db
    .insertInto('staged_table')
    .values({ table_id: tableId, failed_run: run })
    .onConflict((conflict) => conflict.column('table_id').doUpdateSet({ failed_run: run }))
    .execute();
}

/**
 * Closes an open run of which nothing is left in the lake: as `failed` when an error was noted, else as `abandoned`.
 * A closed one stays as it is. Throws LEASE_LOST.
 */
export async function abandonRun(tx: StateTx, lease: Lease, run: bigint, reason: string): Promise<void> {
  const holds = await holdsLease(tx, lease);
  const state = await stateOf(tx, lease, run);
  if (state === 'abandoned' || state === 'failed') return;
  if (!holds) throw leaseLost(lease);
  if (state === 'committed') throw wrongState(lease, run, state, 'abandoned');
  await tx.db.deleteFrom('raw_file').where('run', '=', String(run)).execute();
  await tx.db.deleteFrom('run_chunk').where('run', '=', String(run)).execute();
  await sql`
    update ${tableIn(tx.schema, 'run')}
    set state = case when error is null then 'abandoned' else 'failed' end, reason = ${reason}, finished_at = ${now},
        next_mark = null, next_columns = null, chunk_plan = null
    where run = ${run}`.execute(tx.db);
  await prune(tx, lease);
}

// A table that fails every minute would fill the store.
async function prune({ db, schema }: StateTx, lease: Lease): Promise<void> {
  const run = tableIn(schema, 'run');
  await sql`
    delete from ${run} where run in (
      select run from ${run} where table_id = ${lease.tableId} and kind = ${ownRuns(lease)} and state in ('failed', 'abandoned')
      order by run desc offset ${KEPT})`.execute(db);
}

function errorJson({ code, message, hint, place }: Failure): RunError {
  // Postgres's text holds no NUL.
  const clean = (text: string | undefined) => text?.replaceAll('\0', '\ufffd').slice(0, MESSAGE);
  return { code, message: clean(message)!, hint: clean(hint), column: clean(place?.column), key: clean(place?.key) };
}
