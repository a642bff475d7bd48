/** How a large table is cut into chunks, and whether a plan still holds. Pure. */

import { historyChange } from '../../model/history.ts';
import type { Mark } from '../../model/mark.ts';
import type { ChunkedRun, ChunkPlan } from '../../model/run.ts';
import type { TableSettings } from '../../model/table.ts';
import type { Blocks } from '../../postgres/changed-rows.ts';
import type { SourceTable } from '../../postgres/describe.ts';
import type { Snapshot } from '../../postgres/snapshot.ts';
import type { TableBlocks } from '../../postgres/table-blocks.ts';
import type { ColumnPlan } from '../column-plan.ts';
import { cutBlocks } from '../cut-blocks.ts';

/**
 * The block at which each chunk begins, in every leaf at once, so that a chunk is about `chunkBytes` of all of them together.
 * One entry: the table is no larger than a chunk.
 */
export function chunkStarts({ blocks, bytes, byBlocks }: TableBlocks, chunkBytes: number): number[] {
  const total = blocks.reduce((sum, each) => sum + each, 0);
  if (!byBlocks || total === 0 || bytes <= chunkBytes) return [0];
  return cutBlocks(blocks, Math.ceil(bytes / chunkBytes));
}

/** Every chunk's number, in the order in which they are read: `starts` has those below its length, the rest is the one behind. */
export function chunkNumbers({ plan: { starts }, rest }: ChunkedRun): number[] {
  const numbers = [...starts.keys()];
  return rest ? [starts.length, ...numbers] : numbers;
}

export function blocksOf({ starts }: Pick<ChunkPlan, 'starts'>, chunk: number): Blocks {
  // To the end: what was added since is none of ours, by its ids; what was there is.
  return { from: starts[chunk], to: starts[chunk + 1] ?? null };
}

/** What two attempts must agree upon, as text: columns as they are written, and which rows are wanted. */
export function readsText({ columns, key, cursor }: ColumnPlan, { where, start }: TableSettings): string {
  const written = columns.map(({ source, name, selection, wire, lake, shadow }) => [
    source,
    name,
    selection,
    wire,
    lake,
    shadow,
  ]);
  return JSON.stringify({ columns: written, key, cursor: cursor && [cursor.column, cursor.type], where, start });
}

type ColumnTuple = [number: number, name: string, type: number, typmod: number, notNull: boolean];

const tuples = (columnList: string) => JSON.parse(columnList) as ColumnTuple[];

/** The table with the columns that it had when the run was planned. */
export function asPlanned(table: SourceTable, plan: ChunkPlan): SourceTable {
  const names = new Set(tuples(plan.columnList).map(([, name]) => name));
  return { ...table, columns: table.columns.filter(({ name }) => names.has(name)) };
}

/** In a few words why the run cannot go on from what the table is now; null: it can. */
export function brokenBy(plan: ChunkPlan, mark: Mark, now: Snapshot): string | null {
  if (now.columnList === null) return 'the table was made anew';
  const current = new Set(tuples(now.columnList).map((column) => JSON.stringify(column.slice(0, 4))));
  // A column that was added comes with the next run, as always.
  if (!tuples(plan.columnList).every((column) => current.has(JSON.stringify(column.slice(0, 4)))))
    return 'its columns have changed';
  const history = mark.history && historyChange(mark.history, now.history);
  if (history) return history;
  const filenodes = new Map(now.leaves.map(({ oid, filenode }) => [oid, filenode]));
  const rewritten = mark.leaves!.some(({ oid, filenode }) => (filenodes.get(oid) ?? filenode) !== filenode);
  return rewritten ? 'it was written anew (TRUNCATE, VACUUM FULL, CLUSTER or ALTER TABLE)' : null;
}

/** Leaves of the mark, by oid, that the table does not have any more. */
export function goneLeaves(mark: Mark, now: Snapshot): number[] {
  const there = new Set(now.leaves.map(({ oid }) => oid));
  return mark.leaves!.map(({ oid }) => oid).filter((oid) => !there.has(oid));
}
