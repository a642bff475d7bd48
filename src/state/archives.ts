/**
 * Runs whose manifest has left the state store. Invariant: the rows of a run go in the transaction that notes the archive they are in,
 * which its writer has made durable before; so every committed run is in one of the two places, for whoever reads both in one snapshot.
 */

import { sql } from 'kysely';
import { TidemarkError } from '../model/error.ts';
import type { Broken, Repeats, UnfitCounts } from '../model/run.ts';
import { displayName } from '../model/table.ts';
import type { StateTx } from './database.ts';
import { holdsLease, type Lease, leaseLost } from './leases.ts';
import type { CommittedFile } from './raw-runs.ts';
import type { RunKind } from './schema.ts';
import { instant, tableIn } from './sql.ts';

/** A run as an archive keeps it. Instants are ISO 8601 in UTC with microseconds. */
export type ArchivedRun = {
  run: bigint;
  kind: RunKind;
  full: boolean;
  repeats: Repeats | null;
  snapshotAt: string;
  startedAt: string;
  finishedAt: string;
  rows: bigint;
  lateRows: bigint;
  bytes: bigint;
  unfit: UnfitCounts | null;
  broken: Broken[] | null;
  /** In the order of their parts. */
  files: CommittedFile[];
};

/** What is known of an archive without opening it. */
export type Archive = {
  /** In the lake. */
  key: string;
  fromRun: bigint;
  toRun: bigint;
  runs: number;
  files: number;
  rows: bigint;
  bytes: bigint;
  /** The least snapshot among its runs. */
  fromAt: string;
  /** When its first run was committed. */
  since: string;
  /** The snapshot of its last export that repeats no range. */
  asOf: string | null;
  /** Its last full run, and that one's snapshot. */
  full: { run: bigint; at: string } | null;
};

/** Which runs may go: those committed so long ago, but for the `keep` newest of all. */
export type OldRuns = { olderThanMs: number; keep: number };

/**
 * The oldest runs of the table that may go, in order, with no more than `most` files and runs together; one at least where there are any. They end with the last run that the staged table
 * holds where that is among them, so that no archive is part of what waits and part of what does not.
 */
export async function oldRuns(tx: StateTx, folder: string, old: OldRuns, most: number): Promise<ArchivedRun[]> {
  const query = sql<OldRow>`
    with old as materialized (${candidates(tx, folder, old)})
    select r.run, r.kind, r.is_full as "full", r.repeats, r.rows, r.late_rows as "lateRows", r.bytes, r.unfit, r.broken,
      ${instant('r.snapshot_at')} as "snapshotAt", ${instant('r.started_at')} as "startedAt", ${instant('r.finished_at')} as "finishedAt",
      (select jsonb_agg(jsonb_build_object('key', f.key, 'rows', f.rows, 'bytes', f.bytes, 'bounds', f.bounds) order by f.part)
        from ${tableIn(tx.schema, 'raw_file')} f where f.run = r.run) as files
    from old join ${tableIn(tx.schema, 'run')} r on r.run = old.run
    where old.is_old and (old.entries <= ${most} or old.nth = 1)
      and (old.run <= old.through or (select min(run) from old) > old.through)
    order by r.run`;
  const { rows } = await query.execute(tx.db);
  return rows.map(({ run, rows: count, lateRows, bytes, files, ...row }) => ({
    ...row,
    run: BigInt(run),
    rows: BigInt(count),
    lateRows: BigInt(lateRows),
    bytes: BigInt(bytes),
    files: files ?? [],
  }));
}

type OldRow = Omit<ArchivedRun, 'run' | 'rows' | 'lateRows' | 'bytes' | 'files'> &
  Record<'run' | 'rows' | 'lateRows' | 'bytes', string> & { files: CommittedFile[] | null };

/** How many runs may go. */
export async function countOldRuns(tx: StateTx, folder: string, old: OldRuns): Promise<number> {
  const query = sql<{ n: number }>`
    select count(*)::int as n from (${candidates(tx, folder, old)}) old where old.is_old`;
  return (await query.execute(tx.db)).rows[0].n;
}

/** All runs but the newest, in order; once one is too young, no later one is old: the database's clock may have been set. */
function candidates({ schema }: StateTx, folder: string, { olderThanMs, keep }: OldRuns) {
  const run = tableIn(schema, 'run');
  const table = sql`(select id from ${tableIn(schema, 'source_table')} where folder = ${folder})`;
  return sql`
    select r.run, row_number() over w as nth, sum(r.files + 1) over w as entries,
      bool_and(r.finished_at < statement_timestamp() - ${olderThanMs}::float8 * interval '1 millisecond') over w as is_old,
      coalesce((select through_run from ${tableIn(schema, 'staged_table')} where table_id = ${table}), 0) as through
    from ${run} r
    where r.table_id = ${table} and r.state = 'committed' and r.run <= (
      select n.run from ${run} n where n.table_id = ${table} and n.state = 'committed'
      order by n.table_id desc, n.run desc offset ${keep} limit 1)
      -- Status shows the last export, however many reconciliations came since.
      and r.run < (select mark_run from ${tableIn(schema, 'source_table')} where id = ${table})
    window w as (order by r.run)`;
}

/** The table's archives that hold runs after `after`, in order. Takes no lease, locks nothing. */
export async function archivesAfter({ db, schema }: StateTx, folder: string, after: bigint): Promise<Archive[]> {
  const query = sql<ArchiveRow>`
    select key, from_run, to_run, runs, files, rows, bytes, full_run, ${instant('from_at')} as "fromAt", ${instant('since')} as since,
      ${instant('as_of')} as "asOf", ${instant('full_at')} as full_at
    from ${tableIn(schema, 'archived_runs')}
    where table_id = (select id from ${tableIn(schema, 'source_table')} where folder = ${folder}) and to_run > ${after}
    order by table_id, from_run`;
  return (await query.execute(db)).rows.map(({ from_run, to_run, rows, bytes, full_run, full_at, ...row }) => ({
    ...row,
    fromRun: BigInt(from_run),
    toRun: BigInt(to_run),
    rows: BigInt(rows),
    bytes: BigInt(bytes),
    full: full_run === null ? null : { run: BigInt(full_run), at: full_at! },
  }));
}

type ArchiveRow = Pick<Archive, 'key' | 'runs' | 'files' | 'fromAt' | 'since' | 'asOf'> &
  Record<'from_run' | 'to_run' | 'rows' | 'bytes', string> &
  Record<'full_run' | 'full_at', string | null>;

/**
 * Lets an archive, which is durable in the lake, stand for the rows of its runs, or for the archives that it replaces. Repeatable.
 * Throws LEASE_LOST; INTERNAL, and then nothing is changed, when it does not hold exactly what is there.
 */
export async function noteArchive(tx: StateTx, lease: Lease, archive: Archive, replaces: string[]): Promise<void> {
  if (!(await holdsLease(tx, lease))) throw leaseLost(lease);
  const archived = tableIn(tx.schema, 'archived_runs');
  const { rows: there } = await sql`
    select from ${archived} where table_id = ${lease.tableId} and key = ${archive.key}`.execute(tx.db);
  if (there.length > 0) return;
  const gone = replaces.length > 0 ? await deleteArchives(tx, lease, replaces) : await deleteRuns(tx, lease, archive);
  if (gone.runs !== archive.runs || gone.files !== archive.files) {
    const message = `${archive.key} has ${archive.runs} runs and ${archive.files} files, the state store ${gone.runs} and ${gone.files}`;
    throw new TidemarkError('INTERNAL', message, { table: displayName(lease.table) });
  }
  await sql`
    insert into ${archived} (table_id, from_run, to_run, key, runs, files, rows, bytes, from_at, since, as_of, full_run, full_at)
    values (${lease.tableId}, ${archive.fromRun}, ${archive.toRun}, ${archive.key}, ${archive.runs}, ${archive.files}, ${archive.rows},
      ${archive.bytes}, ${archive.fromAt}, ${archive.since}, ${archive.asOf}, ${archive.full?.run ?? null}, ${archive.full?.at ?? null})`.execute(
    tx.db,
  );
}

type Gone = { runs: number; files: number };

async function deleteRuns({ db, schema }: StateTx, { tableId }: Lease, { fromRun, toRun }: Archive): Promise<Gone> {
  const those = sql`table_id = ${tableId} and state = 'committed' and run between ${fromRun} and ${toRun}`;
  const run = tableIn(schema, 'run');
  const files = await sql`
    delete from ${tableIn(schema, 'raw_file')} where run in (select run from ${run} where ${those})`.execute(db);
  const runs = await sql`delete from ${run} where ${those}`.execute(db);
  return { runs: Number(runs.numAffectedRows), files: Number(files.numAffectedRows) };
}

async function deleteArchives({ db, schema }: StateTx, { tableId }: Lease, keys: string[]): Promise<Gone> {
  const { rows } = await sql<Gone>`
    delete from ${tableIn(schema, 'archived_runs')} where table_id = ${tableId} and key = any(${keys}::text[])
    returning runs, files`.execute(db);
  return rows.reduce((sum, { runs, files }) => ({ runs: sum.runs + runs, files: sum.files + files }), {
    runs: 0,
    files: 0,
  });
}

/** The last run that the table's staged copy holds; 0: none. */
export async function throughRun({ db }: StateTx, folder: string): Promise<bigint> {
  const row = await db
    .selectFrom('staged_table')
    .innerJoin('source_table', 'source_table.id', 'staged_table.table_id')
    .select('through_run')
    .where('folder', '=', folder)
    .executeTakeFirst();
  return BigInt(row?.through_run ?? 0);
}
