/**
 * SQL of the rows that go into new files. Invariant: a row that no change concerns stays as it is and where it is; a changed one
 * stands in its old place.
 */

import { text, texts } from '../duckdb/literal.ts';
import type { DeltaColumn } from './delta/actions.ts';
import type { Group } from './plan.ts';
import { type FileColumn, namedColumns, selectColumns } from './read-files.ts';

export type GroupFile = { file: number; path: string; hits: number; gone: number };

export type RewriteOptions = {
  columns: DeltaColumn[];
  /** Indexes into `columns`. */
  key: number[];
  /** The columns that the files have. */
  found: FileColumn[];
  /** Only a range of the first key column, as SQL literals; null: no bound. */
  where?: { from: string | null; before: string | null };
};

/** The rows of a group's files, with `hits` applied and `gone` left out, in the order of their keys as far as the files were. */
export function rewriteSelect(
  group: Group,
  files: GroupFile[],
  { columns, key, found, where }: RewriteOptions,
): string {
  const hits = files.some((file) => file.hits > 0);
  const gone = files.some((file) => file.gone > 0);
  const wanted = `file IN (${group.files.join(', ')})`;
  // One file needs no number for each of its rows.
  const many = files.length > 1;
  const number = many ? `, ${numberOf(files)} AS file` : '';
  const same = (other: string) => `${many ? `f.file = ${other}.file AND ` : ''}f."row" = ${other}."row"`;
  const place = hits || gone ? `, r.file_row_number AS "row"${number}` : '';
  let select = `SELECT ${hits ? namedColumns(columns, (i) => `CASE WHEN c.change IS NULL THEN f.c${i} ELSE c.c${i} END`) : namedColumns(columns, (i) => `f.c${i}`)}
    FROM (SELECT ${selectColumns(columns, found, 'r')}${place} FROM ${scanGroup(files, hits || gone, many)} r) f`;
  if (hits) {
    select += ` LEFT JOIN (SELECT h.file, h."row", h.change, ch.* FROM hits h JOIN changes ch ON ch.rowid = h.change WHERE h.${wanted}) c ON ${same('c')}`;
  }
  if (gone) select += ` ANTI JOIN (SELECT file, "row" FROM gone WHERE ${wanted}) g ON ${same('g')}`;
  const conditions = [
    hits ? `c.op IS DISTINCT FROM 'd'` : null,
    where?.from ? `f.c${key[0]} >= ${where.from}` : null,
    where?.before ? `f.c${key[0]} < ${where.before}` : null,
  ].filter((condition) => condition !== null);
  if (conditions.length > 0) select += ` WHERE ${conditions.join(' AND ')}`;
  return group.sort ? sorted(select, key) : select;
}

/** The change's rows that have no place in a file that is written again. `stays`: files whose hits are marked instead. */
export function appendSelect(columns: DeltaColumn[], key: number[], stays: number[]): string {
  const placed = stays.length > 0 ? ` AND file NOT IN (${stays.join(', ')})` : '';
  const select = `SELECT ${namedColumns(columns, (i) => `ch.c${i}`)} FROM changes ch
    WHERE ch.op = 'u' AND NOT EXISTS (SELECT 1 FROM hits h WHERE h.change = ch.rowid${placed})`;
  return sorted(select, key);
}

/** `select`, which names its columns as the table does, in the order of the key. */
export function sorted(select: string, key: number[]): string {
  // By place: a name could also be another column's in the tables that are read.
  return key.length === 0 ? select : `${select} ORDER BY ${key.map((i) => i + 1).join(', ')}`;
}

function scanGroup(files: GroupFile[], rowNumbers: boolean, many: boolean): string {
  const options = [
    'union_by_name = true, hive_partitioning = false',
    rowNumbers ? 'file_row_number = true' : '',
    rowNumbers && many ? `filename = '_tidemark_file'` : '',
  ];
  return `read_parquet(${texts(files.map(({ path }) => path))}, ${options.filter(Boolean).join(', ')})`;
}

function numberOf(files: GroupFile[]): string {
  const whens = files.map(({ file, path }) => `WHEN ${text(path)} THEN ${file}`);
  return `CASE r._tidemark_file ${whens.join(' ')} END`;
}
