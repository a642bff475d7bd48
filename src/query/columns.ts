/** The columns of what can be queried, with DuckDB's types. Pure. */

import type { DeltaColumn } from '../compact/delta/actions.ts';
import { duckTypeOf } from '../compact/types.ts';
import type { LakeType } from '../model/lake-type.ts';
import type { WrittenColumn } from '../model/run.ts';

/** `ofPath`: the files do not have it, their path names it. */
export type QueryColumn = { name: string; type: string; ofPath?: true };

export function stagedColumns(columns: readonly DeltaColumn[]): QueryColumn[] {
  return columns.map(({ name, type }) => ({ name, type: duckTypeOf(type) }));
}

const OF_RUN: QueryColumn[] = [
  { name: '_tidemark_run', type: 'BIGINT' },
  { name: '_tidemark_op', type: 'VARCHAR' },
  { name: '_tidemark_at', type: 'TIMESTAMP WITH TIME ZONE' },
  { name: 'load_date', type: 'DATE', ofPath: true },
];

/**
 * The history's columns: those that the source has now, the text of values without a place, those that only the staged table
 * remembers, then what tells the run.
 */
export function rawColumns(
  written: readonly WrittenColumn[],
  keptAsText: readonly string[],
  staged: readonly QueryColumn[],
): QueryColumn[] {
  const columns = new Map<string, QueryColumn>();
  // The first of a name stays: names are unique ignoring their case.
  const add = (column: QueryColumn) => {
    const name = column.name.toLowerCase();
    if (!columns.has(name)) columns.set(name, column);
  };
  for (const { name, type } of written) add({ name, type: rawType(type) });
  for (const name of keptAsText) add({ name: `${name}__text`, type: 'VARCHAR' });
  for (const column of staged) add(column);
  // A table may have a column load_date of its own: that one is not ours to hide.
  for (const column of OF_RUN) add(column);
  return [...columns.values()];
}

/** In raw files a wall clock without a zone is one. */
function rawType(type: LakeType): string {
  switch (type.kind) {
    case 'array':
      return `${rawType(type.element)}[]`;
    case 'timestamp':
      return type.utc ? 'TIMESTAMP WITH TIME ZONE' : 'TIMESTAMP';
    case 'decimal':
      return `DECIMAL(${type.precision},${type.scale})`;
    default:
      return duckTypeOf(type.kind);
  }
}
