/**
 * What is known of staged tables. Invariant: only the holder of the lease of kind `compact` writes it, after its Delta
 * commit; so it may lag behind the log in the lake, and is right again after the next compaction.
 */

import { sql } from 'kysely';
import type { StateTx } from './database.ts';
import { holdsLease, type Lease, leaseLost } from './leases.ts';
import type { RunError } from './schema.ts';
import { instant, now, tableIn } from './sql.ts';

/** A staged table as its last writer found it in the lake. */
export type Staged = {
  version: bigint;
  /** The last run that it holds; null: none of this state store's. */
  throughRun: bigint | null;
  rows: bigint;
  files: bigint;
  bytes: bigint;
};

/** What a command did to the staged table, beyond having looked at it. */
export type StagedWork = { compacted: boolean; optimized?: boolean };

/**
 * Notes the table as it is now, and that the failure before is over. Repeatable. Throws LEASE_LOST. The version may go
 * back: somebody removed the staged table, and it was made anew.
 */
export async function saveStaged(tx: StateTx, lease: Lease, staged: Staged & StagedWork): Promise<void> {
  if (!(await holdsLease(tx, lease))) throw leaseLost(lease);
  const { compacted, optimized, throughRun, ...known } = staged;
  const values = {
    ...known,
    through_run: throughRun,
    checked_at: now,
    ...(compacted && { compacted_at: now }),
    ...(optimized && { optimized_at: now }),
    failed_run: null,
  };
  await tx.db
    .insertInto('staged_table')
    .values({ table_id: lease.tableId, ...values })
    .onConflict((conflict) => conflict.column('table_id').doUpdateSet(values))
    .execute();
}

/** Instants are ISO 8601 in UTC with microseconds. */
export type StagedStatus = {
  /** Null: no compaction has succeeded yet. */
  version: bigint | null;
  throughRun: bigint | null;
  rows: bigint | null;
  files: bigint | null;
  bytes: bigint | null;
  /** The snapshot that it shows: what was committed in the source before that instant is in it. */
  asOf: string | null;
  checkedAt: string | null;
  compactedAt: string | null;
  optimizedAt: string | null;
  /** Committed runs that it has not seen and that are still of use, since the oldest one that it has not seen. */
  waiting: { runs: bigint; rows: bigint; bytes: bigint; since: string | null };
  /** When the last full run was made, of all that are committed. */
  lastFullAt: string | null;
  /** Only while no compaction has succeeded since. */
  failure: { run: bigint; failedAt: string; error: RunError } | null;
  lease: { holder: string; acquiredAt: string; expiresAt: string; expired: boolean } | null;
};

/** Of the folders, or of all (null); those that no compaction has worked on are missing. Takes no lease, locks nothing. */
export async function stagedStatus(
  { db, schema }: StateTx,
  folders: string[] | null,
): Promise<Map<string, StagedStatus>> {
  const run = tableIn(schema, 'run');
  const archived = tableIn(schema, 'archived_runs');
  const query = sql<StagedRow>`
    select t.folder, s.version, s.through_run, s.rows, s.files, s.bytes, ${instant('r.snapshot_at')} as as_of,
      ${instant('s.checked_at')} as checked_at, ${instant('s.compacted_at')} as compacted_at,
      ${instant('s.optimized_at')} as optimized_at,
      w.runs + a.runs as waiting_runs, w.rows + a.rows as waiting_rows, w.bytes + a.bytes as waiting_bytes,
      ${instant('waiting.since')} as waiting_since, ${instant('l.snapshot_at')} as last_full_at,
      f.run as failed_run, ${instant('f.failed_at')} as failed_at, f.error,
      h.holder, ${instant('h.acquired_at')} as acquired_at, ${instant('h.expires_at')} as expires_at,
      h.expires_at <= ${now} as expired
    from ${tableIn(schema, 'staged_table')} s
    join ${tableIn(schema, 'source_table')} t on t.id = s.table_id
    left join lateral (
      -- A run that repeats a range, or brings deleted rows alone, is younger than what it leaves out.
      (select run, snapshot_at from ${run}
        where table_id = s.table_id and state = 'committed' and run <= s.through_run and repeats is null and kind = 'export'
        order by run desc limit 1)
      union all
      (select from_run, case when full_run = s.through_run then full_at else as_of end from ${archived}
        where table_id = s.table_id and from_run <= s.through_run and as_of is not null
        order by from_run desc limit 1)
      order by run desc limit 1) r on true
    left join ${run} f on f.run = s.failed_run
    left join ${tableIn(schema, 'lease')} h on h.table_id = s.table_id and h.kind = 'compact'
    left join lateral (
      (select run, snapshot_at from ${run}
        where table_id = s.table_id and state = 'committed' and is_full order by run desc limit 1)
      union all
      (select full_run, full_at from ${archived}
        where table_id = s.table_id and full_run is not null order by from_run desc limit 1)
      order by run desc limit 1) l on true
    cross join lateral (
      select count(*) filter (where ${useful}) as runs, coalesce(sum(w.rows) filter (where ${useful}), 0) as rows,
        coalesce(sum(w.bytes) filter (where ${useful}), 0) as bytes, min(w.finished_at) as since
      from ${run} w
      where w.table_id = s.table_id and w.state = 'committed' and w.run > coalesce(s.through_run, 0)) w
    cross join lateral (
      -- Whole archives: they end with the run that was the last one in the staged table when they were made.
      select coalesce(sum(a.runs) filter (where ${usefulArchive}), 0) as runs,
        coalesce(sum(a.rows) filter (where ${usefulArchive}), 0) as rows,
        coalesce(sum(a.bytes) filter (where ${usefulArchive}), 0) as bytes, min(a.since) as since
      from ${archived} a where a.table_id = s.table_id and a.to_run > coalesce(s.through_run, 0)) a
    cross join lateral (select least(w.since, a.since) as since) waiting
    where ${folders}::text[] is null or t.folder = any(${folders}::text[])`;
  return new Map((await query.execute(db)).rows.map((row) => [row.folder, status(row)]));
}

// A full run replaces what was before it.
const useful = sql`w.run >= coalesce(l.run, 0)`;
const usefulArchive = sql`a.to_run >= coalesce(l.run, 0)`;

type StagedRow = { folder: string; error: RunError | null; expired: boolean | null } & Record<
  'waiting_runs' | 'waiting_rows' | 'waiting_bytes',
  string
> &
  Record<
    | 'version'
    | 'through_run'
    | 'rows'
    | 'files'
    | 'bytes'
    | 'as_of'
    | 'checked_at'
    | 'compacted_at'
    | 'optimized_at'
    | 'waiting_since'
    | 'last_full_at'
    | 'failed_run'
    | 'failed_at'
    | 'holder'
    | 'acquired_at'
    | 'expires_at',
    string | null
  >;

function status(row: StagedRow): StagedStatus {
  const count = (text: string | null) => (text === null ? null : BigInt(text));
  return {
    version: count(row.version),
    throughRun: count(row.through_run),
    rows: count(row.rows),
    files: count(row.files),
    bytes: count(row.bytes),
    asOf: row.as_of,
    checkedAt: row.checked_at,
    compactedAt: row.compacted_at,
    optimizedAt: row.optimized_at,
    waiting: {
      runs: BigInt(row.waiting_runs),
      rows: BigInt(row.waiting_rows),
      bytes: BigInt(row.waiting_bytes),
      since: row.waiting_since,
    },
    lastFullAt: row.last_full_at,
    failure:
      row.failed_run === null ? null : { run: BigInt(row.failed_run), failedAt: row.failed_at!, error: row.error! },
    lease:
      row.holder === null
        ? null
        : { holder: row.holder, acquiredAt: row.acquired_at!, expiresAt: row.expires_at!, expired: row.expired! },
  };
}
