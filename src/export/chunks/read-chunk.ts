/** Reads one chunk in a transaction of its own. Invariant: of its blocks it brings exactly the rows that the run's mark calls exported. */

import type pg from 'pg';
import type { ChunkedRun } from '../../model/run.ts';
import { openSnapshot } from '../../postgres/snapshot.ts';
import type { ColumnPlan } from '../column-plan.ts';
import { copyRows } from '../copy-rows.ts';
import type { GroupReader } from '../group-reader.ts';
import type { RawWriter } from '../raw-writer.ts';
import type { ExportDeps, TableWork } from '../work.ts';
import { blocksOf, brokenBy, goneLeaves } from './plan-chunks.ts';

/** The table is not what it was when the run was planned: what was read of it so far is worth nothing. */
export class TableChanged extends Error {}

export type ReadChunk = Pick<Awaited<ReturnType<typeof copyRows>>, 'rows' | 'watermark' | 'unfit' | 'broken'> & {
  gone: number[];
};

/** Resolves when the last row was handed to the writer. Throws TableChanged. */
export async function readChunk(
  client: pg.ClientBase,
  deps: ExportDeps,
  work: TableWork,
  { plan, mark }: ChunkedRun,
  { chunk, columns, writer, kept }: { chunk: number; columns: ColumnPlan; writer: RawWriter; kept: GroupReader[] },
  signal: AbortSignal,
): Promise<ReadChunk> {
  const { trustText, history } = await deps.source.facts(signal);
  const table = { name: work.settings.name, oid: plan.table };
  const snapshot = await openSnapshot(client, table, deps.source.statementTimeoutMs, history);
  const broken = brokenBy(plan, mark, snapshot);
  if (broken !== null) throw new TableChanged(broken);
  const leaves = mark.leaves!.map(({ oid }) => oid);
  const alone = leaves.length === 1 && snapshot.leaves.length === 1;
  const rows = {
    since: null,
    before: mark,
    blocks: blocksOf(plan, chunk),
    // A partition that was attached since is new to the mark: the next run takes it whole.
    ...(alone ? {} : { onlyLeaves: leaves }),
  };
  const given = {
    plan: columns,
    snapshot,
    finished: mark.seen,
    rows,
    trustText,
    groups: deps.groups,
    source: deps.source,
    kept,
  };
  const copied = await copyRows(client, work, given, writer, signal);
  await client.query('commit');
  return { ...copied, gone: goneLeaves(mark, snapshot) };
}
