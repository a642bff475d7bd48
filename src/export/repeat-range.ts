/**
 * Reads a range of the cursor again, whatever was exported before. Invariant: the mark stays as it is, so that the next run
 * exports what it would have exported without this one; what was changed since the mark is then exported twice.
 */

import { TidemarkError } from '../model/error.ts';
import type { Mark } from '../model/mark.ts';
import type { Bound, Range } from '../model/range.ts';
import { displayName, type TableName } from '../model/table.ts';
import type { Cursor, CursorBounds } from '../postgres/changed-rows.ts';
import type { SourceTable } from '../postgres/describe.ts';
import { instantText } from '../postgres/render.ts';
import { openSnapshot } from '../postgres/snapshot.ts';
import { type ColumnPlan, checkedPlan, writtenColumns } from './column-plan.ts';
import { copyRows } from './copy-rows.ts';
import { currentTable } from './decide-rows.ts';
import type { RawWriter } from './raw-writer.ts';
import type { Read, ReadOutcome } from './read-table.ts';
import type { ExportDeps, TableWork } from './work.ts';

/**
 * Resolves when the last row was handed to the writer and the transaction is over; the writer may still be uploading.
 * Throws REPEAT_REFUSED where there is no cursor column that the bounds can belong to, or no run before.
 */
export async function repeatRange(
  deps: ExportDeps,
  work: TableWork,
  range: Range,
  openWriter: (read: Read) => RawWriter,
  signal: AbortSignal,
): Promise<ReadOutcome> {
  const { source } = deps;
  const mark = exportedBefore(work.table.name, work.mark);
  const facts = await source.facts(signal);
  const planOf = (table: SourceTable) => {
    const plan = checkedPlan(table, work, facts.moneyScale);
    return { plan, between: cursorBounds(table.name, plan, range) };
  };
  const expected = planOf(work.table);
  return source.use(async (client) => {
    const snapshot = await openSnapshot(client, work.table, source.statementTimeoutMs);
    const table = await currentTable(deps, client, work, snapshot);
    const { plan, between } = table === work.table ? expected : planOf(table);
    const repeats = { cursor: plan.cursor!.column, since: range.since.typed, until: range.until?.typed ?? null };
    const writer = openWriter({ plan, snapshot, full: false, repeats });
    const rows = { since: null, between };
    const copied = await copyRows(
      client,
      work,
      { plan, snapshot, finished: [], rows, trustText: facts.trustText, groups: deps.groups, source },
      writer,
      signal,
    );
    await client.query('commit');
    const { rows: count, unfit, broken } = copied;
    return { writer, mark, columns: writtenColumns(plan), rows: count, lateRows: 0n, unfit, broken };
  }, signal);
}

/** The mark, which there must be. Throws REPEAT_REFUSED. */
export function exportedBefore(table: TableName, mark: Mark | null): Mark {
  if (mark) return mark;
  throw refused(
    table,
    'nothing of it was exported yet: there is nothing to repeat',
    'export it first, without --since',
  );
}

/** The bounds as values of the cursor's type. Throws REPEAT_REFUSED. */
export function cursorBounds(table: TableName, { cursor }: Pick<ColumnPlan, 'cursor'>, range: Range): CursorBounds {
  if (!cursor) {
    const hint = 'name one with `cursor:`, or repeat the whole table with --full';
    throw refused(table, 'without a cursor column there is no range to repeat', hint);
  }
  const { since, until } = range;
  return { from: boundText(table, cursor, since), to: until && boundText(table, cursor, until) };
}

function boundText(table: TableName, cursor: Cursor, bound: Bound): string {
  const counts = isNumber(cursor.type);
  if (bound.kind === 'number') {
    if (counts) return bound.typed;
    const what = `${bound.typed} is a number, and the cursor column ${cursor.column} is a ${cursor.type}`;
    throw refused(table, what, 'write 2026-11-20, or 2026-11-20 10:22:30+01');
  }
  if (counts) {
    const what = `${bound.typed} is an instant, and the cursor column ${cursor.column} holds numbers`;
    throw refused(table, what, 'write a whole number');
  }
  if (cursor.type !== 'timestamptz' && bound.zoned) {
    const what = `${bound.typed} has a zone, and the cursor column ${cursor.column} is a ${cursor.type}, which has none`;
    throw refused(table, what, 'write the wall clock as it stands in the column');
  }
  return instantText(bound.at, cursor.type === 'timestamptz');
}

function isNumber(type: string): boolean {
  return type === 'bigint';
}

function refused(table: TableName, message: string, hint: string): TidemarkError {
  return new TidemarkError('REPEAT_REFUSED', message, { table: displayName(table), hint });
}
