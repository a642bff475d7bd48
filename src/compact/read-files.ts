/**
 * SQL that reads Parquet files as the table's columns, named c0, c1 …: no name of a user's column can be mistaken for one of ours.
 */

import type { DuckConnection } from '../duckdb/duck.ts';
import { ident, texts } from '../duckdb/literal.ts';
import type { DeltaColumn } from './delta/actions.ts';
import { duckTypeOf } from './types.ts';

export type FileColumn = { name: string; type: string };

/** The columns that the files have together, with DuckDB's types; the wider type where they differ. */
export async function columnsOf(
  connection: DuckConnection,
  paths: string[],
  signal: AbortSignal,
): Promise<FileColumn[]> {
  const rows = await connection.rows<{ column_name: string; column_type: string }>(
    `DESCRIBE SELECT * FROM ${scan(paths)}`,
    signal,
  );
  return rows.map(({ column_name, column_type }) => ({ name: column_name, type: column_type }));
}

/** `file_row_number` comes along by itself where it is asked for. Files may differ in their columns. */
export function scan(paths: string[], options = ''): string {
  return `read_parquet(${texts(paths)}, union_by_name = true, hive_partitioning = false${options})`;
}

/**
 * A select list that makes each of the table's columns from `alias`, a scan of files with the columns `found`: NULL where the files have none,
 * cast where theirs is narrower. A timestamp without a zone is read as UTC.
 */
export function selectColumns(columns: DeltaColumn[], found: FileColumn[], alias: string): string {
  const names = new Map(found.map(({ name, type }) => [name.toLowerCase(), { name, type }]));
  return columns
    .map((column, i) => {
      const type = duckTypeOf(column.type);
      const source = names.get(column.name.toLowerCase());
      if (!source) return `NULL::${type} AS c${i}`;
      const value = `${alias}.${ident(source.name)}`;
      return source.type === type ? `${value} AS c${i}` : `${value}::${type} AS c${i}`;
    })
    .join(', ');
}

/** The columns under their own names again, for what is written to a file. */
export function namedColumns(columns: DeltaColumn[], value: (i: number) => string = (i) => `c${i}`): string {
  return columns.map(({ name }, i) => `${value(i)} AS ${ident(name)}`).join(', ');
}

/** The key's columns as indexes into `columns`. */
export function keyIndexes(columns: DeltaColumn[], key: string[]): number[] {
  return key.map((name) => columns.findIndex((column) => column.name === name));
}
