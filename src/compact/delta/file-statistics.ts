/** The statistics of a Parquet file that DuckDB has written. Invariant: what COPY … (RETURN_STATS) leaves open is asked of the file, never guessed. */

import type { DuckConnection } from '../../duckdb/duck.ts';
import { ident, text } from '../../duckdb/literal.ts';
import type { DeltaColumn } from './actions.ts';
import { type ColumnStatistics, isFloat, statisticsOf } from './statistics.ts';

/** What COPY … (RETURN_STATS) returns of a file; `filename` must still be there. */
export type WrittenFile = { filename: string; count: bigint; column_statistics: ColumnStatistics };

/** Twice what a bound keeps of a text: the rest decides nothing, unless all that follows the bound's part is this, the last character. */
const TEXT_CHARACTERS = 64;
const UNDECIDED = '\u{10FFFF}'.repeat(TEXT_CHARACTERS / 2);

/** The `stats` of an `add`, JSON text. The key's columns have statistics wherever they stand. Throws QUERY_FAILED. */
export async function fileStatistics(
  connection: DuckConnection,
  file: WrittenFile,
  columns: readonly DeltaColumn[],
  key: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const floats = columns.some(({ type }) => isFloat(type));
  const noNan = floats ? await columnsWithoutNan(connection, file.filename, signal) : undefined;
  const found = [...file.column_statistics, ...(await longTexts(connection, file, columns, key, signal))];
  return statisticsOf(columns, Number(file.count), found, { always: key, noNan });
}

/**
 * DuckDB 1.5.5 returns `has_nan` of the last row group only, but a row group with NaN has no bounds in the file's footer. (Nor has one where
 * all is NULL, but then COPY returns none either.)
 */
async function columnsWithoutNan(
  connection: DuckConnection,
  filename: string,
  signal: AbortSignal,
): Promise<Set<string>> {
  const rows = await connection.rows<{ name: string }>(
    `SELECT path_in_schema AS name FROM parquet_metadata(${text(filename)}) GROUP BY name HAVING bool_and(stats_min IS NOT NULL)`,
    signal,
  );
  return new Set(rows.map(({ name }) => name));
}

/**
 * Bounds of the key's text columns that COPY returns none of: DuckDB cuts texts at 256 bytes, and leaves out a maximum that it cannot round
 * up within ASCII. Without bounds every change would look into the file.
 */
async function longTexts(
  connection: DuckConnection,
  { filename, column_statistics }: WrittenFile,
  columns: readonly DeltaColumn[],
  key: readonly string[],
  signal: AbortSignal,
): Promise<ColumnStatistics> {
  const bounded = new Set(
    column_statistics.filter(({ value }) => value.some((fact) => fact.key === 'max')).map((found) => found.key),
  );
  const names = columns
    .filter(({ name, type }) => type === 'string' && key.includes(name) && !bounded.has(ident(name)))
    .map(({ name }) => ident(name));
  if (names.length === 0) return [];
  const bounds = names.flatMap((name, i) =>
    ['min', 'max'].map((side) => `${side}(left(${name}, ${TEXT_CHARACTERS})) AS ${side}${i}`),
  );
  const [row] = await connection.rows<Record<string, string | null>>(
    `SELECT ${bounds.join(', ')} FROM read_parquet(${text(filename)})`,
    signal,
  );
  return names.map((name, i) => {
    const facts = column_statistics.find((found) => found.key === name)?.value ?? [];
    const more = ['min', 'max'].flatMap((side) => {
      const value = row[`${side}${i}`];
      const undecided = side === 'max' && value?.endsWith(UNDECIDED);
      return value === null || undecided ? [] : [{ key: side, value }];
    });
    return { key: name, value: [...facts, ...more] };
  });
}
