/** Reads the rows that the last snapshot could not see, in one transaction. Invariant: what it returns as mark covers exactly what it handed to the writer. */

import type pg from 'pg';
import { TidemarkError } from '../model/error.ts';
import type { Mark } from '../model/mark.ts';
import type { Broken, Repeats, UnfitCounts, WrittenColumn } from '../model/run.ts';
import { displayName } from '../model/table.ts';
import { type CursorCount, cursorCount } from '../postgres/cursor-count.ts';
import { describeTables, type SourceTable } from '../postgres/describe.ts';
import { leafChoices } from '../postgres/leaves.ts';
import { openSnapshot, type Snapshot, stillRunning } from '../postgres/snapshot.ts';
import { knownCount, requireCount, stepOf } from './check-count.ts';
import { type Choice, chooseRows } from './choose-rows.ts';
import { type ColumnPlan, checkedPlan, writtenColumns } from './column-plan.ts';
import { copyRows } from './copy-rows.ts';
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

/** Resolves when the last row was handed to the writer and the transaction is over; the writer may still be uploading. */
export async function readTable(
  deps: ExportDeps,
  work: TableWork,
  openWriter: (read: Read) => RawWriter,
  signal: AbortSignal,
): Promise<ReadOutcome> {
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
    const { leaves, history, at } = snapshot;
    const count = await countOf(client, table, plan);
    const choice = chooseRows({
      previous: count && previous ? knownCount(previous, count) : previous,
      full: work.full,
      leaves,
      root: table.oid,
      history,
      at,
      hasCursor: plan.cursor !== null,
      counts: count !== null,
    });
    tell(deps, work, choice);
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

/** Null: the cursor is no counted one. Throws CURSOR_TYPE where rows would be missed. */
export async function countOf(
  client: pg.ClientBase,
  table: SourceTable,
  { cursor }: ColumnPlan,
): Promise<CursorCount | null> {
  if (cursor?.type !== 'bigint') return null;
  const count = await cursorCount(client, table.oid, cursor.column);
  requireCount(table.name, cursor.column, count);
  return count;
}

/** Says why a run brings more than what was changed. */
function tell({ log }: ExportDeps, { settings, mark, full }: TableWork, choice: Choice): void {
  const table = displayName(settings.name);
  if (choice.changed !== null) {
    const what = choice.full ? 'every row is exported' : 'rows above the floor are exported, some of them again';
    log.warn({ table, why: choice.changed }, `the source has another history: ${what}`);
  } else if (choice.full && mark !== null && !full) {
    log.info({ table }, 'the table was made anew: every row is exported');
  }
  for (const { leaf, rule } of choice.apart) {
    const what =
      rule === 'all'
        ? 'a partition is new: its rows are exported'
        : 'a partition was written anew: its rows are looked at';
    log.info({ table, partition: leaf.oid }, what);
  }
}

/** The table as the run's transaction sees it: described again when it is not what it was when the command began. */
export async function currentTable(
  { source, log }: ExportDeps,
  client: pg.ClientBase,
  work: TableWork,
  snapshot: Snapshot,
): Promise<SourceTable> {
  if (snapshot.columnList === work.table.columnList) return work.table;
  const [table] = await describeTables(client, [work.table.name], source.types);
  if (!table)
    throw new TidemarkError('TABLE_UNKNOWN', 'there is no such table', { table: displayName(work.table.name) });
  log.info({ table: displayName(table.name) }, 'the columns have changed');
  return table;
}

/** Ids whose rows this run exported. Asked in the run's own transaction, before its snapshot goes away. */
async function settledIds(client: pg.ClientBase, snapshot: Snapshot, ids: bigint[]): Promise<bigint[]> {
  if (ids.length === 0) return ids;
  const running = await stillRunning(client, snapshot, ids);
  return ids.filter((id) => !running.has(id));
}
