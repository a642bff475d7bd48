/**
 * SQL that makes a view of Parquet files. Invariant: it has the table's columns in their order and types, whatever columns each
 * file has, and no row that a deletion vector deletes. Pure.
 */

import { ident, text, texts } from '../duckdb/literal.ts';
import type { QueryColumn } from './columns.ts';
import type { NamedTable } from './names.ts';

/** A name for the file's path that no source's column has. */
const PATH = '_tidemark_path';

/** The table `_tidemark_gone`: which row of which file is deleted; a file's number is its place in all files of the statement. */
export const GONE = 'tidemark.gone';

/** A staged table by its name alone, its history in the schema `raw`. */
export function viewName(named: NamedTable): string {
  return `${schemaOf(named)}.${ident(named.name)}`;
}

export function schemaOf({ kind }: NamedTable): string {
  return kind === 'raw' ? 'raw' : 'main';
}

/** A table without rows that stands for the view while the statement is planned. */
export function standIn(view: NamedTable, columns: readonly QueryColumn[]): string {
  return `CREATE TABLE ${viewName(view)} (${columns.map(({ name, type }) => `${ident(name)} ${type}`).join(', ')})`;
}

/** A Parquet file without rows: first of a scan's files, it names columns that no other file may have. */
export function carrier(columns: readonly QueryColumn[], path: string): string {
  const nulls = columns.filter(({ ofPath }) => !ofPath).map(({ name, type }) => `NULL::${type} AS ${ident(name)}`);
  return `COPY (SELECT ${nulls.join(', ')} WHERE false) TO ${text(path)} (FORMAT parquet)`;
}

export type ViewFiles = {
  /** Of carrier(), for these columns. */
  carrier: string;
  plain: readonly string[];
  /** Those with deleted rows; `first` is the number of the first of them in GONE. */
  vectored: readonly string[];
  first: number;
};

/** The view over the files. A column `load_date` of their path is the date in `…/load_date=2026-01-02/x.parquet`. */
export function viewOver(view: NamedTable, columns: readonly QueryColumn[], files: ViewFiles): string {
  const list = columns.map(({ name, type, ofPath }) => {
    // TRY_CAST: DuckDB looks at the carrier's path too.
    const value = ofPath
      ? `TRY_CAST(regexp_extract(f.${PATH}, '${name}=([0-9-]+)/[^/]*$', 1) AS ${type})`
      : `CAST(f.${ident(name)} AS ${type})`;
    return `${value} AS ${ident(name)}`;
  });
  const withPath = columns.some(({ ofPath }) => ofPath) ? `, filename = ${text(PATH)}` : '';
  const scan = (paths: readonly string[]) =>
    `read_parquet(${texts([files.carrier, ...paths])}, union_by_name = true, hive_partitioning = false${withPath}) f`;
  const selects = [`SELECT ${list.join(', ')} FROM ${scan(files.plain)}`];
  if (files.vectored.length > 0) {
    // The carrier is file 0 of the scan.
    const number = `f.file_index::BIGINT + ${files.first - 1}`;
    selects.push(
      `SELECT ${list.join(', ')} FROM ${scan(files.vectored)} ANTI JOIN ${GONE} g ON g.file = ${number} AND g."row" = f.file_row_number`,
    );
  }
  return `CREATE VIEW ${viewName(view)} AS ${selects.join(' UNION ALL ')}`;
}
