/**
 * The manifest as a compaction reads it. Invariant: what comes is committed, in the order of the runs, and never changes afterwards;
 * where archives hold some of it these come instead, since the state store knows no lake.
 */

import { sql } from 'kysely';
import type { Micros } from '../model/mark.ts';
import type { Bounds } from '../model/run.ts';
import { type Archive, archivesAfter } from './archives.ts';
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

/** Runs that are here, or the archives to look into first; `until`: the same, by its run where that run is here. */
export type RawPage = { runs: RawRun[]; archives: null } | { runs: null; archives: Archive[]; until: Until };

/**
 * The first `most` committed runs of the table after `after`, beginning with the last full one when there is one among
 * all that are wanted: what it replaces is of no use any more. Takes no lease, locks nothing. Wants a transaction with one
 * snapshot: between two of its statements runs may move into an archive.
 */
export async function rawRuns(
  tx: StateTx,
  folder: string,
  after: bigint,
  until: Until,
  most: number,
): Promise<RawPage> {
  const archives = await archivesAfter(tx, folder, after);
  if (archives.length > 0) {
    const here = await boundsHere(tx, folder, until);
    // What a full run replaces is of no use: with one that is here nobody looks into archives.
    if (here.full === null) return { runs: null, archives, until: here.until === null ? until : { run: here.until } };
  }
  return { runs: await runsHere(tx, folder, after, until, most), archives: null };
}

// Not a join: by it the planner would walk through the runs of all tables and sort.
const committedRuns = ({ schema }: StateTx, folder: string) => sql`from ${tableIn(schema, 'run')} r
    where r.table_id = (select id from ${tableIn(schema, 'source_table')} where folder = ${folder}) and r.state = 'committed'`;

/** 0: an instant is given, and no run that is here is as old. */
// Not every run whose snapshot is old enough: where the clock went back, one in between would be missing.
const lastRun = (committed: ReturnType<typeof committedRuns>, { run, at }: Until) =>
  sql`least(${run ?? null}::bigint, ${
    at === undefined
      ? sql`null`
      : sql`(select coalesce(max(r.run), 0) ${committed} and r.snapshot_at <= ${instantText(at)}::timestamptz)`
  }::bigint)`;

type WantedHere = Record<'until' | 'full', bigint | null>;

/** Of the runs that are here: the last one that is wanted, where that is bounded, and the last full one among those that are. */
async function boundsHere(tx: StateTx, folder: string, until: Until): Promise<WantedHere> {
  const committed = committedRuns(tx, folder);
  const query = sql<Record<keyof WantedHere, string | null>>`
    with until as materialized (select ${lastRun(committed, until)} as run)
    select (select nullif(run, 0) from until) as until,
      (select max(r.run) ${committed} and r.is_full and r.run <= coalesce((select run from until), r.run)) as full`;
  const [row] = (await query.execute(tx.db)).rows;
  const big = (text: string | null) => (text === null ? null : BigInt(text));
  return { until: big(row.until), full: big(row.full) };
}

async function runsHere(tx: StateTx, folder: string, after: bigint, until: Until, most: number): Promise<RawRun[]> {
  const committed = committedRuns(tx, folder);
  const query = sql<RunRow>`
    with until as materialized (select coalesce(${lastRun(committed, until)}, 9223372036854775807) as run),
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
