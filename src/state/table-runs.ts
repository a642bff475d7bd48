/** One table's newest runs and files, for people. Takes no lease, locks nothing. */

import { sql } from 'kysely';
import type { StateTx } from './database.ts';
import type { RunError, RunKind, RunState } from './schema.ts';
import { instant, tableIn } from './sql.ts';

/** Instants are ISO 8601 in UTC with microseconds. */
export type TableRun = {
  run: bigint;
  kind: RunKind;
  state: RunState;
  full: boolean | null;
  rows: bigint | null;
  lateRows: bigint | null;
  files: number | null;
  bytes: bigint | null;
  startedAt: string;
  finishedAt: string | null;
  error: RunError | null;
};

export type TableFile = { run: bigint; key: string; rows: bigint; bytes: bigint };

/** The newest first, at most `most`. A compaction is among them only when it failed. */
export async function tableRuns({ db, schema }: StateTx, folder: string, most: number): Promise<TableRun[]> {
  const run = tableIn(schema, 'run');
  // Each part by an index of its own: a table may have a hundred thousand runs.
  const part = (states: string) => sql`(select r.* from ${run} r
    where r.table_id = (select id from ${tableIn(schema, 'source_table')} where folder = ${folder}) and r.state in (${sql.raw(states)})
    order by r.run desc limit ${most})`;
  const query = sql<
    Omit<TableRun, 'run' | 'rows' | 'lateRows' | 'bytes'> &
      Record<'run', string> &
      Record<'rows' | 'lateRows' | 'bytes', string | null>
  >`
    select r.run, r.kind, r.state, r.is_full as "full", r.rows, r.late_rows as "lateRows", r.files, r.bytes, r.error,
      ${instant('r.started_at')} as "startedAt", ${instant('r.finished_at')} as "finishedAt"
    from (${part("'committed'")} union all ${part("'failed', 'abandoned'")} union all ${part("'planned', 'prepared'")}) r
    order by r.run desc limit ${most}`;
  const big = (text: string | null) => (text === null ? null : BigInt(text));
  return (await query.execute(db)).rows.map((row) => ({
    ...row,
    run: BigInt(row.run),
    rows: big(row.rows),
    lateRows: big(row.lateRows),
    bytes: big(row.bytes),
  }));
}

/** Committed raw files, the newest first, at most `most`. */
export async function tableFiles({ db, schema }: StateTx, folder: string, most: number): Promise<TableFile[]> {
  const query = sql<Record<'run' | 'key' | 'rows' | 'bytes', string>>`
    with newest as materialized (
      select r.run from ${tableIn(schema, 'run')} r
      where r.table_id = (select id from ${tableIn(schema, 'source_table')} where folder = ${folder})
        and r.state = 'committed' and r.files > 0
      order by r.run desc limit ${most})
    select f.run, f.key, f.rows, f.bytes
    from newest join ${tableIn(schema, 'raw_file')} f on f.run = newest.run
    order by f.run desc, f.part desc limit ${most}`;
  return (await query.execute(db)).rows.map(({ run, key, rows, bytes }) => ({
    run: BigInt(run),
    key,
    rows: BigInt(rows),
    bytes: BigInt(bytes),
  }));
}
