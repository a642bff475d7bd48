/** What a run brings, asked inside its transaction. Invariant: who only says what a run would do decides as the run does. */

import type pg from 'pg';
import { TidemarkError } from '../model/error.ts';
import type { Leaf, Mark } from '../model/mark.ts';
import { displayName } from '../model/table.ts';
import { type CursorCount, cursorCount } from '../postgres/cursor-count.ts';
import { describeTables, type SourceTable } from '../postgres/describe.ts';
import type { Snapshot } from '../postgres/snapshot.ts';
import { tableBlocks } from '../postgres/table-blocks.ts';
import { knownCount, requireCount } from './check-count.ts';
import { type Choice, chooseRows } from './choose-rows.ts';
import { chunkStarts } from './chunks/plan-chunks.ts';
import type { ColumnPlan } from './column-plan.ts';
import type { ExportDeps, TableWork } from './work.ts';

/** `count`: of a counted cursor; null: the cursor is no counted one. */
export type Decision = { choice: Choice; count: CursorCount | null };

/** Throws CURSOR_TYPE where a counted cursor would miss rows. */
export async function decideRows(
  client: pg.ClientBase,
  { mark, full }: { mark: Mark | null; full: boolean },
  table: SourceTable,
  { cursor }: ColumnPlan,
  { leaves, history, at }: Snapshot,
): Promise<Decision> {
  const count = cursor?.type === 'bigint' ? await cursorCount(client, table.oid, cursor.column) : null;
  if (count) requireCount(table.name, cursor!.column, count);
  const previous = count && mark ? knownCount(mark, count) : mark;
  const choice = chooseRows({
    previous,
    full,
    leaves,
    root: table.oid,
    history,
    at,
    hasCursor: cursor !== null,
    counts: count !== null,
  });
  return { choice, count };
}

/** Leaves that come whole: all of a full run, else those that are new. */
export function wholeLeaves({ full, apart }: Choice, leaves: Leaf[]): Leaf[] {
  return full ? leaves : apart.filter(({ rule }) => rule === 'all').map(({ leaf }) => leaf);
}

/** Where the chunks begin that what comes whole is read in; null: it is no more than one chunk. */
export async function chunksOf(
  client: pg.ClientBase,
  choice: Choice,
  leaves: Leaf[],
  chunkBytes: number,
): Promise<number[] | null> {
  const whole = wholeLeaves(choice, leaves);
  if (whole.length === 0) return null;
  const starts = chunkStarts(await tableBlocks(client, whole), chunkBytes);
  return starts.length > 1 ? starts : null;
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

/** Says why a run brings more than what was changed. */
export function tellWhy({ log }: ExportDeps, { settings, mark, full }: TableWork, choice: Choice): void {
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
