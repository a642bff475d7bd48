/** The manifest as a compaction reads it. Invariant: what comes is committed, in the order of the runs, and never changes afterwards. */

import { sql } from 'kysely';
import type { Micros } from '../model/mark.ts';
import type { Bounds } from '../model/run.ts';
import type { StateTx } from './database.ts';
import { instantText } from './mark-json.ts';
import { instant, tableIn } from './sql.ts';

export type CommittedFile = {
  key: string;
  rows: number;
  bytes: number;
  /** Of the key and cursor columns, by their name in the lake; text that may be wider than the values. */
  bounds: Record<string, Bounds>;
};

/** A committed run that wrote raw files. */
export type RawRun = {
  run: bigint;
  /** It holds the whole table: rows that it does not have are gone. */
  full: boolean;
  /** ISO 8601 in UTC with microseconds. */
  snapshotAt: string;
  rows: bigint;
  bytes: bigint;
  /** In the order of their parts. */
  files: CommittedFile[];
};

/** Only what was exported up to a run, or up to an instant. */
export type Until = { run?: bigint; at?: Micros };

/**
 * The first `most` committed runs of the table after `after`, beginning with the last full one when there is one among
 * all that are wanted: what it replaces is of no use any more. Takes no lease, locks nothing.
 */
export async function rawRuns(
  tx: StateTx,
  folder: string,
  after: bigint,
  until: Until,
  most: number,
): Promise<RawRun[]> {
  const run = tableIn(tx.schema, 'run');
  // Not a join: by it the planner would walk through the runs of all tables and sort.
  const committed = sql`from ${run} r
    where r.table_id = (select id from ${tableIn(tx.schema, 'source_table')} where folder = ${folder}) and r.state = 'committed'`;
  // Not every run whose snapshot is old enough: where the clock went back, one in between would be missing.
  const last = sql`least(${until.run ?? null}::bigint, ${
    until.at === undefined
      ? sql`null`
      : sql`(select coalesce(max(r.run), 0) ${committed} and r.snapshot_at <= ${instantText(until.at)}::timestamptz)`
  }::bigint)`;
  const query = sql<RunRow>`
    with until as materialized (select coalesce(${last}, 9223372036854775807) as run),
    first as materialized (
      select coalesce((select max(r.run) ${committed} and r.is_full and r.run <= (select run from until)), 0) as run)
    select r.run, r.is_full as "full", ${instant('r.snapshot_at')} as "snapshotAt", r.rows, r.bytes
    ${committed} and r.run > ${after} and r.run >= (select run from first) and r.run <= (select run from until)
    order by r.table_id, r.run limit ${most}`;
  const { rows } = await query.execute(tx.db);
  const files = await filesOf(
    tx,
    rows.map((row) => row.run),
  );
  return rows.map((row) => ({
    ...row,
    run: BigInt(row.run),
    rows: BigInt(row.rows),
    bytes: BigInt(row.bytes),
    files: files.get(row.run) ?? [],
  }));
}

type RunRow = { run: string; full: boolean; snapshotAt: string; rows: string; bytes: string };

async function filesOf({ db }: StateTx, runs: string[]): Promise<Map<string, CommittedFile[]>> {
  const found = new Map<string, CommittedFile[]>();
  if (runs.length === 0) return found;
  const rows = await db
    .selectFrom('raw_file')
    .select(['run', 'key', 'rows', 'bytes', 'bounds'])
    .where(sql<boolean>`run = any(${runs}::bigint[])`)
    .orderBy('run')
    .orderBy('part')
    .execute();
  for (const { run, rows: count, bytes, ...file } of rows) {
    const files = found.get(run) ?? [];
    files.push({ ...file, rows: Number(count), bytes: Number(bytes) });
    found.set(run, files);
  }
  return found;
}
