/** Reads one chunk in a transaction of its own. Invariant: of its blocks it brings exactly the rows that the run's mark calls exported. */

import type pg from 'pg';
import type { Mark } from '../../model/mark.ts';
import type { ChunkedRun } from '../../model/run.ts';
import type { RowChoice } from '../../postgres/changed-rows.ts';
import { leafChoices } from '../../postgres/leaves.ts';
import { openSnapshot, type Snapshot } from '../../postgres/snapshot.ts';
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
  chunked: ChunkedRun,
  { chunk, columns, writer, kept }: { chunk: number; columns: ColumnPlan; writer: RawWriter; kept: GroupReader[] },
  signal: AbortSignal,
): Promise<ReadChunk> {
  const { plan, mark } = chunked;
  const { trustText, history } = await deps.source.facts(signal);
  const table = { name: work.settings.name, oid: plan.table };
  const snapshot = await openSnapshot(client, table, deps.source.statementTimeoutMs, history);
  const broken = brokenBy(plan, mark, snapshot);
  if (broken !== null) throw new TableChanged(broken);
  const rows = await rowsOfChunk(client, chunked, chunk, snapshot);
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

async function rowsOfChunk(
  client: pg.ClientBase,
  { plan, mark, rest }: ChunkedRun,
  chunk: number,
  now: Snapshot,
): Promise<RowChoice & { since: Mark | null }> {
  const planned = mark.leaves!.map(({ oid }) => oid);
  if (!rest) {
    const alone = planned.length === 1 && now.leaves.length === 1;
    // A partition that was attached since is new to the mark: the next run takes it whole.
    return { since: null, before: mark, blocks: blocksOf(plan, chunk), ...(alone ? {} : { onlyLeaves: planned }) };
  }
  // By its own name one that was detached meanwhile could still be read.
  const there = new Set(now.leaves.map(({ oid }) => oid));
  const rules = new Map(rest.leaves.map(({ oid, rule }) => [oid, rule]));
  const only = (leaves: number[]) =>
    leafChoices(
      client,
      leaves.filter((oid) => there.has(oid)).map((oid) => ({ leaf: { oid }, rule: rules.get(oid) ?? 'all' })),
    );
  if (chunk === plan.starts.length) return { since: rest.since, before: mark, only: await only([...rules.keys()]) };
  const whole = planned.filter((oid) => !rules.has(oid));
  return { since: null, before: mark, blocks: blocksOf(plan, chunk), only: await only(whole) };
}
