/** Runs that a process left behind, for the next holder of the lease to roll forward or to abandon. */

import { sql } from 'kysely';
import type { RawFile, Run } from '../model/run.ts';
import { unfinishedChunks } from './chunks.ts';
import type { StateTx } from './database.ts';
import { markFromJson } from './mark-json.ts';
import { type LeaseKind, runsUnder } from './run-kinds.ts';

/** The open runs under leases of the kind, by table. */
export async function unfinishedRuns({ db }: StateTx, kind: LeaseKind, tables: number[]): Promise<Map<number, Run[]>> {
  const kinds = runsUnder(kind);
  if (kinds.length === 0) return new Map();
  const rows = await db
    .selectFrom('run')
    .select([
      'run',
      'table_id',
      'state',
      'prefix',
      'token',
      'rows',
      'late_rows',
      'unfit',
      'broken',
      'next_mark',
      'next_columns',
      'chunk_plan',
    ])
    .where(sql<boolean>`table_id = any(${tables}::int[])`)
    .where('kind', 'in', kinds)
    .where('state', 'in', ['planned', 'prepared'])
    .execute();
  const files = await filesOf(
    db,
    rows.filter(({ state }) => state === 'prepared').map(({ run }) => run),
  );
  const found = new Map<number, Run[]>();
  for (const row of rows) {
    const common = { run: BigInt(row.run), prefix: row.prefix!, token: BigInt(row.token) };
    if (row.state === 'planned') {
      const { chunk_plan: plan, next_mark: mark, next_columns: columns } = row;
      const chunked = plan && (await unfinishedChunks(db, row.run, plan, mark!, columns!));
      found.set(row.table_id, [{ state: 'planned', ...common, ...(chunked && { chunked }) }]);
      continue;
    }
    const prepared = {
      files: files.get(row.run) ?? [],
      mark: markFromJson(row.next_mark!),
      rows: BigInt(row.rows!),
      lateRows: BigInt(row.late_rows!),
      unfit: row.unfit!,
      broken: row.broken ?? undefined,
      columns: row.next_columns!,
    };
    found.set(row.table_id, [{ state: 'prepared', ...common, prepared }]);
  }
  return found;
}

async function filesOf(db: StateTx['db'], runs: string[]): Promise<Map<string, RawFile[]>> {
  if (runs.length === 0) return new Map();
  const rows = await db
    .selectFrom('raw_file')
    .select(['run', 'part', 'key', 'rows', 'bytes', 'upload', 'bounds'])
    .where(sql<boolean>`run = any(${runs}::bigint[])`)
    .orderBy('run')
    .orderBy('part')
    .execute();
  return Map.groupBy(
    rows.map(({ run, rows: count, bytes, ...file }) => ({ run, ...file, rows: Number(count), bytes: Number(bytes) })),
    ({ run }) => run,
  );
}
