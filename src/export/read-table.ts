/** Reads the rows that the last snapshot could not see, in one transaction. Invariant: what it returns as mark covers exactly what it handed to the writer. */

import type pg from 'pg';
import type { Mark } from '../model/mark.ts';
import type { Broken, Repeats, UnfitCounts, WrittenColumn } from '../model/run.ts';
import { leafChoices } from '../postgres/leaves.ts';
import { openSnapshot, type Snapshot, stillRunning } from '../postgres/snapshot.ts';
import { stepOf } from './check-count.ts';
import { type ColumnPlan, checkedPlan, writtenColumns } from './column-plan.ts';
import { copyRows } from './copy-rows.ts';
import { chunksOf, currentTable, decideRows, tellWhy } from './decide-rows.ts';
import { nextMark } from './next-mark.ts';
import type { RawWriter } from './raw-writer.ts';
import type { ExportDeps, TableWork } from './work.ts';

/** What is known before the first row. */
export type Read = { plan: ColumnPlan; snapshot: Snapshot; full: boolean; repeats?: Repeats };

export type ReadOutcome = {
  writer: RawWriter;
  mark: Mark;
  columns: WrittenColumn[];
  rows: bigint;
  lateRows: bigint;
  unfit: UnfitCounts;
  broken: Broken[];
  /** Why the ids of the mark meant nothing; absent: they did. */
  changed?: string;
};

/**
 * Resolves when the last row was handed to the writer and the transaction is over; the writer may still be uploading. Null:
 * so much is to be read whole that it is better read in chunks; nothing was read yet.
 */
export async function readTable(
  deps: ExportDeps,
  work: TableWork,
  openWriter: (read: Read) => RawWriter,
  signal: AbortSignal,
): Promise<ReadOutcome | null> {
  const { source } = deps;
  const previous = work.mark;
  const facts = await source.facts(signal);
  // Before a connection is taken: one on which something failed is closed, and a wrong configuration is no reason for that.
  const expected = checkedPlan(work.table, work, facts.moneyScale);
  return source.use(async (client) => {
    const look = await source.look(client, previous, deps.now(), signal);
    await deps.step('looked');
    const snapshot = await openSnapshot(client, work.table, source.statementTimeoutMs, facts.history);
    const table = await currentTable(deps, client, work, snapshot);
    const plan = table === work.table ? expected : checkedPlan(table, work, facts.moneyScale);
    const { leaves, at } = snapshot;
    const { choice, count } = await decideRows(client, work, table, plan, snapshot);
    if (await chunksOf(client, choice, leaves, work.settings.chunkBytes)) {
      await client.query('commit');
      return null;
    }
    tellWhy(deps, work, choice);
    const { full, since } = choice;
    const apart = await leafChoices(client, choice.apart);
    const writer = openWriter({ plan, snapshot, full });
    const copied = await copyRows(
      client,
      work,
      {
        plan,
        snapshot,
        finished: look.finished,
        rows: { since, apart },
        trustText: facts.trustText,
        groups: deps.groups,
        source,
      },
      writer,
      signal,
    );
    const carried = await settledIds(client, snapshot, copied.ids);
    await client.query('commit');
    return {
      writer,
      mark: nextMark({
        previous: choice.base,
        look,
        snapshot,
        carried,
        watermark: copied.watermark ?? (count ? choice.base : previous)?.watermark ?? null,
        lateMs: work.settings.lateMs,
        marginMs: work.settings.marginMs,
        leaves,
        history: choice.history,
        doubt: choice.doubt,
        step: count && stepOf(count, at, copied.watermark),
      }),
      changed: choice.changed ?? undefined,
      columns: writtenColumns(plan),
      rows: copied.rows,
      lateRows: full ? 0n : copied.lateRows,
      unfit: copied.unfit,
      broken: copied.broken,
    };
  }, signal);
}

/** Ids whose rows this run exported. Asked in the run's own transaction, before its snapshot goes away. */
async function settledIds(client: pg.ClientBase, snapshot: Snapshot, ids: bigint[]): Promise<bigint[]> {
  if (ids.length === 0) return ids;
  const running = await stillRunning(client, snapshot, ids);
  return ids.filter((id) => !running.has(id));
}
