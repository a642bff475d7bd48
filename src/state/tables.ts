/** Marks of tables that had nothing to export, and what is known of every table. */

import { sql } from 'kysely';
import type { Mark } from '../model/mark.ts';
import { type Broken, keyOf, type Repeats, type UnfitCounts, type WrittenColumn } from '../model/run.ts';
import { displayName, type TableName } from '../model/table.ts';
import { type LastReconciled, lastReconciled } from './daemon-work.ts';
import type { StateTx } from './database.ts';
import type { Lease } from './leases.ts';
import { markFromJson, markToJson } from './mark-json.ts';
import type { RunError } from './schema.ts';
import { instant, now, tableIn } from './sql.ts';
import { type StagedStatus, stagedStatus } from './staged.ts';

/** `columns` null: they stay as they are. */
export type Idle = { lease: Lease; mark: Mark; columns: WrittenColumn[] | null };

/** Moves the marks of tables whose run found nothing; returns the leases that are lost, whose marks stay. */
export async function saveIdleMarks({ db, schema }: StateTx, entries: readonly Idle[]): Promise<Lease[]> {
  const list = entries.map(({ lease, mark, columns }) => ({
    table_id: lease.tableId,
    kind: lease.kind,
    token: String(lease.token),
    mark: markToJson(mark),
    columns,
  }));
  // The lease's row is locked: a new holder waits, and then sees this mark.
  const query = sql<{ id: number }>`
    with own as materialized (
      select e.table_id, e.mark, e.columns
      from jsonb_to_recordset(${JSON.stringify(list)}::jsonb)
        as e(table_id int, kind text, token bigint, mark jsonb, columns jsonb)
      join ${tableIn(schema, 'lease')} l on l.table_id = e.table_id and l.kind = e.kind and l.token = e.token
      order by l.table_id, l.kind
      for no key update of l)
    update ${tableIn(schema, 'source_table')} t
    set mark = own.mark, columns = coalesce(nullif(own.columns, 'null'), t.columns), last_checked_at = ${now}, failed_run = null
    from own where t.id = own.table_id
    returning t.id`;
  const saved = new Set((await query.execute(db)).rows.map(({ id }) => id));
  return entries.flatMap(({ lease }) => (saved.has(lease.tableId) ? [] : [lease]));
}

/** The tables' marks, in the order of `folders`; null where nothing was exported yet. Takes no lease, locks nothing. */
export async function readMarks({ db }: StateTx, folders: string[]): Promise<(Mark | null)[]> {
  const rows = await db
    .selectFrom('source_table')
    .select(['folder', 'mark'])
    .where(sql<boolean>`folder = any(${folders}::text[])`)
    .execute();
  const found = new Map(rows.map(({ folder, mark }) => [folder, mark && markFromJson(mark)]));
  return folders.map((folder) => found.get(folder) ?? null);
}

/** Instants are ISO 8601 in UTC with microseconds. */
export type TableStatus = {
  table: TableName;
  folder: string;
  /** Null: nothing was exported yet. */
  mark: {
    floor: string | null;
    watermark: string | null;
    at: string;
    /** Since a run that found another history on the source; a full run ends it. */
    doubt: { at: string; why: string } | null;
  } | null;
  lastRun: { run: bigint; full: boolean; rows: bigint; lateRows: bigint; finishedAt: string } | null;
  /** Only while no run has succeeded since. `open`: its leftovers await the next run. */
  failure: { run: bigint; failedAt: string; open: boolean; error: RunError } | null;
  lastCheckedAt: string | null;
  lease: { holder: string; acquiredAt: string; expiresAt: string; expired: boolean } | null;
  raw: { files: bigint; bytes: bigint; rows: bigint };
  unfit: UnfitCounts;
  /** A run in chunks that is not finished: under way, or left for the next run to go on with. Counts of chunks. */
  chunks: { run: bigint; done: number; of: number } | null;
  /** Somebody holds it: no run begins. */
  paused: { by: string; at: string } | null;
  /** Expectations that the last run's rows broke. */
  broken: Broken[];
  /** The last run repeated a range; null: it did not. */
  repeats: Repeats | null;
  /** Whether rows can be told apart; null: no export has noted it yet. */
  keyed: boolean | null;
  /** Null: no compaction has worked on it. */
  staged: StagedStatus | null;
  /** When a reconciliation of it was last done, and how many deleted rows that found; null: never. */
  reconciled: { at: string; deleted: bigint | null } | null;
  /** The last one that failed, while none was done since. */
  reconcileFailure: { run: bigint; failedAt: string; error: RunError } | null;
};

/** Every table that an export has met, by schema and name. */
export async function tableStatus(tx: StateTx): Promise<TableStatus[]> {
  const { db } = tx;
  const staged = await stagedStatus(tx, null);
  const chunks = await openChunks(tx);
  const reconciled = await lastReconciled(tx);
  const failed = await failedReconciliations(tx);
  const rows = await db
    .selectFrom('source_table as t')
    .leftJoin('run as r', 'r.run', 't.mark_run')
    .leftJoin('run as f', 'f.run', 't.failed_run')
    .leftJoin('lease as l', (join) => join.onRef('l.table_id', '=', 't.id').on('l.kind', '=', 'export'))
    .select([
      't.id',
      't.schema_name',
      't.table_name',
      't.folder',
      't.mark',
      't.unfit',
      't.columns',
      't.raw_files',
      't.raw_bytes',
      't.raw_rows',
      't.paused_by',
    ])
    .select([
      'r.run',
      'r.is_full',
      'r.rows',
      'r.late_rows',
      'r.repeats',
      'r.broken',
      'f.run as failed_run',
      'f.state as failed_state',
      'f.error',
    ])
    .select(['l.holder', sql<boolean>`l.expires_at <= ${now}`.as('expired')])
    .select([
      instant('r.finished_at').as('finished_at'),
      instant('f.failed_at').as('failed_at'),
      instant('t.last_checked_at').as('last_checked_at'),
      instant('t.paused_at').as('paused_at'),
      instant('l.acquired_at').as('acquired_at'),
      instant('l.expires_at').as('expires_at'),
    ])
    .orderBy('t.schema_name')
    .orderBy('t.table_name')
    .orderBy('t.folder')
    .execute();
  return rows.map((row) => ({
    table: { schema: row.schema_name, table: row.table_name },
    folder: row.folder,
    mark: row.mark && {
      floor: row.mark.floor,
      watermark: row.mark.watermark,
      at: row.mark.at,
      doubt: row.mark.doubt ?? null,
    },
    lastRun:
      row.run === null
        ? null
        : {
            run: BigInt(row.run),
            full: row.is_full!,
            rows: BigInt(row.rows!),
            lateRows: BigInt(row.late_rows!),
            finishedAt: row.finished_at!,
          },
    failure:
      row.failed_run === null
        ? null
        : {
            run: BigInt(row.failed_run),
            failedAt: row.failed_at!,
            open: row.failed_state === 'planned' || row.failed_state === 'prepared',
            error: row.error!,
          },
    lastCheckedAt: row.last_checked_at,
    lease:
      row.holder === null
        ? null
        : { holder: row.holder, acquiredAt: row.acquired_at!, expiresAt: row.expires_at!, expired: row.expired },
    raw: { files: BigInt(row.raw_files), bytes: BigInt(row.raw_bytes), rows: BigInt(row.raw_rows) },
    unfit: row.unfit,
    chunks: chunks.get(row.id) ?? null,
    paused: row.paused_by === null ? null : { by: row.paused_by, at: row.paused_at! },
    broken: row.broken ?? [],
    repeats: row.repeats,
    keyed: row.columns && keyOf(row.columns).length > 0,
    staged: staged.get(row.folder) ?? null,
    ...reconciledOf(
      reconciled.get(displayName({ schema: row.schema_name, table: row.table_name })),
      failed.get(row.id) ?? null,
    ),
  }));
}

function reconciledOf(
  last: LastReconciled | undefined,
  failed: TableStatus['reconcileFailure'],
): Pick<TableStatus, 'reconciled' | 'reconcileFailure'> {
  const isOver = last !== undefined && failed !== null && last.at >= Date.parse(failed.failedAt);
  return {
    reconciled: last === undefined ? null : { ...last, at: new Date(last.at).toISOString() },
    reconcileFailure: isOver ? null : failed,
  };
}

/** By the table's row: of each the last one. */
async function failedReconciliations({ db, schema }: StateTx): Promise<Map<number, TableStatus['reconcileFailure']>> {
  const query = sql<{ table: number; run: string; failed_at: string; error: RunError }>`
    select distinct on (table_id) table_id as "table", run, ${instant('failed_at')} as failed_at, error
    from ${tableIn(schema, 'run')}
    where kind = 'reconcile' and state in ('failed', 'abandoned') and error is not null
    order by table_id, run desc`;
  const { rows } = await query.execute(db);
  return new Map(
    rows.map(({ table, run, failed_at, error }) => [table, { run: BigInt(run), failedAt: failed_at, error }]),
  );
}

/** By the table's row. */
async function openChunks({ db, schema }: StateTx): Promise<Map<number, NonNullable<TableStatus['chunks']>>> {
  const query = sql<{ table: number; run: string; done: number; of: number }>`
    select r.table_id as "table", r.run, jsonb_array_length(r.chunk_plan -> 'starts') + (r.chunk_plan ? 'rest')::int as "of",
      (select count(*)::int from ${tableIn(schema, 'run_chunk')} c where c.run = r.run) as done
    from ${tableIn(schema, 'run')} r where r.state = 'planned' and r.kind = 'export' and r.chunk_plan is not null`;
  const { rows } = await query.execute(db);
  return new Map(rows.map(({ table, run, done, of }) => [table, { run: BigInt(run), done, of }]));
}
