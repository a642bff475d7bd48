/**
 * Runs from planned to committed. Invariant: every step checks the fencing token in its own transaction, and a table's
 * mark moves only in the transaction that makes the run's files count.
 */

import { sql } from 'kysely';
import { TidemarkError } from '../model/error.ts';
import type { Micros } from '../model/mark.ts';
import { type Prepared, type Repeats, rawPrefix, type UnfitCounts } from '../model/run.ts';
import { displayName } from '../model/table.ts';
import { addedUp } from '../model/unfit-counts.ts';
import type { StateTx } from './database.ts';
import { holdsLease, type Lease, leaseLost } from './leases.ts';
import { instantText, markToJson } from './mark-json.ts';
import { ownRuns, runsUnder } from './run-kinds.ts';
import type { RunState } from './schema.ts';
import { next, now, tableIn } from './sql.ts';

export type Plan = {
  /** `YYYY-MM-DD`, of the folder that the files go to. */
  loadDate: string;
  /** The clock of the snapshot that is read. */
  snapshotAt: Micros;
  /** Whether the whole table is exported. */
  full: boolean;
  /** Of a run that repeats a range: the mark stays. */
  repeats?: Repeats;
};

/** A new run's number. Numbers may be left out, never repeated. */
export async function nextRun({ db, schema }: StateTx): Promise<bigint> {
  const { rows } = await sql<{ run: string }>`select ${next(schema, 'run_number')} as run`.execute(db);
  return BigInt(rows[0].run);
}

/** Writes the run down before any byte of it is written. Throws LEASE_LOST. */
export async function planRun(tx: StateTx, lease: Lease, run: bigint, plan: Plan, store: string): Promise<string> {
  if (!(await holdsLease(tx, lease))) throw leaseLost(lease);
  const prefix = rawPrefix(lease.folder, plan.loadDate, store, run);
  await refuseSecond(tx, lease, run);
  await tx.db
    .insertInto('run')
    .values({
      run,
      kind: ownRuns(lease),
      table_id: lease.tableId,
      state: 'planned',
      token: lease.token,
      prefix,
      load_date: plan.loadDate,
      snapshot_at: instantText(plan.snapshotAt),
      is_full: plan.full,
      repeats: plan.repeats ? JSON.stringify(plan.repeats) : null,
    })
    // There already: the connection was lost after the commit of the first attempt.
    .onConflict((conflict) => conflict.column('run').doNothing())
    .execute();
  return prefix;
}

// Two open runs could commit in the wrong order, and the mark would go back.
async function refuseSecond({ db }: StateTx, lease: Lease, run: bigint): Promise<void> {
  const open = await db
    .selectFrom('run')
    .select('run')
    .where('table_id', '=', lease.tableId)
    .where('kind', 'in', runsUnder(lease.kind))
    .where('state', 'in', ['planned', 'prepared'])
    .where('run', '!=', String(run))
    .executeTakeFirst();
  if (!open) return;
  throw new TidemarkError('INTERNAL', `run ${open.run} is still open: it must be committed or abandoned first`, {
    table: displayName(lease.table),
  });
}

/** Writes down what the run uploaded. From here on it is rolled forward, whatever happens. Throws LEASE_LOST. */
export async function prepareRun(tx: StateTx, lease: Lease, run: bigint, prepared: Prepared): Promise<void> {
  if (!(await holdsLease(tx, lease))) throw leaseLost(lease);
  const state = await stateOf(tx, lease, run);
  if (state === 'prepared') return;
  if (state !== 'planned') throw wrongState(lease, run, state, 'prepared');
  const files = JSON.stringify(prepared.files);
  await sql`
    insert into ${tableIn(tx.schema, 'raw_file')} (run, part, key, rows, bytes, upload, bounds)
    select ${run}, f.part, f.key, f.rows, f.bytes, f.upload, f.bounds
    from jsonb_to_recordset(${files}::jsonb)
      as f(part int, key text, rows bigint, bytes bigint, upload jsonb, bounds jsonb)`.execute(tx.db);
  await tx.db
    .updateTable('run')
    .set({
      state: 'prepared',
      prepared_at: now,
      rows: prepared.rows,
      late_rows: prepared.lateRows,
      files: prepared.files.length,
      bytes: prepared.files.reduce((sum, { bytes }) => sum + bytes, 0),
      unfit: JSON.stringify(prepared.unfit),
      next_mark: JSON.stringify(markToJson(prepared.mark)),
      next_columns: JSON.stringify(prepared.columns),
      broken: prepared.broken?.length ? JSON.stringify(prepared.broken) : null,
    })
    .where('run', '=', String(run))
    .execute();
}

/** Makes a prepared run's files count and moves the table's mark. A committed run stays as it is. Throws LEASE_LOST. */
export async function commitRun(tx: StateTx, lease: Lease, run: bigint): Promise<void> {
  const holds = await holdsLease(tx, lease);
  const state = await stateOf(tx, lease, run);
  // Also when the lease is lost by now: a first attempt whose answer was lost has committed it in time.
  if (state === 'committed') return;
  if (!holds) throw leaseLost(lease);
  if (state !== 'prepared') throw wrongState(lease, run, state, 'committed');
  const unfit = await addUnfit(tx, lease, run);
  // A reconciliation says nothing of what is new in the source: for status and schedules the last export is another one.
  await sql`
    update ${tableIn(tx.schema, 'source_table')} t
    set mark = case when r.kind = 'export' then r.next_mark else t.mark end,
        columns = case when r.kind = 'export' then r.next_columns else t.columns end,
        mark_run = case when r.kind = 'export' then r.run else t.mark_run end,
        unfit = ${JSON.stringify(unfit)}::jsonb,
        raw_files = t.raw_files + r.files, raw_bytes = t.raw_bytes + r.bytes, raw_rows = t.raw_rows + r.rows,
        last_checked_at = case when r.kind = 'export' and r.repeats is null then ${now} else t.last_checked_at end,
        failed_run = case when r.kind = 'export' and r.repeats is null then null else t.failed_run end
    from ${tableIn(tx.schema, 'run')} r
    where r.run = ${run} and t.id = r.table_id`.execute(tx.db);
  await tx.db
    .updateTable('run')
    .set({ state: 'committed', finished_at: now, next_mark: null, next_columns: null })
    .where('run', '=', String(run))
    .execute();
}

/** The table's counts with the run's added. */
async function addUnfit({ db }: StateTx, lease: Lease, run: bigint): Promise<UnfitCounts> {
  const { before, added } = await db
    .selectFrom('source_table')
    .innerJoin('run', 'run.table_id', 'source_table.id')
    .select(['source_table.unfit as before', 'run.unfit as added'])
    .where('source_table.id', '=', lease.tableId)
    .where('run.run', '=', String(run))
    .executeTakeFirstOrThrow();
  return addedUp([before, added ?? {}]);
}

/** The state of the run once every step of it that is under way has ended, one whose connection was lost, too. */
export async function settledState(tx: StateTx, lease: Lease, run: bigint): Promise<RunState> {
  // Each step holds the lease's row until its commit.
  await holdsLease(tx, lease);
  return stateOf(tx, lease, run);
}

/** Throws INTERNAL when there is no such run of the lease's table. */
export async function stateOf({ db }: StateTx, lease: Lease, run: bigint): Promise<RunState> {
  const row = await db
    .selectFrom('run')
    .select('state')
    .where('run', '=', String(run))
    .where('table_id', '=', lease.tableId)
    .where('kind', 'in', runsUnder(lease.kind))
    .executeTakeFirst();
  if (row) return row.state;
  throw new TidemarkError('INTERNAL', `there is no run ${run}`, { table: displayName(lease.table) });
}

export function wrongState(lease: Lease, run: bigint, state: RunState, wanted: RunState): TidemarkError {
  return new TidemarkError('INTERNAL', `run ${run} is ${state} and cannot become ${wanted}`, {
    table: displayName(lease.table),
  });
}
