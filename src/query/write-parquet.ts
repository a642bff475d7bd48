/** A result as a Parquet file. */

import { ident, text } from '../duckdb/literal.ts';
import type { Result } from './result.ts';
import { parquetValue } from './value-text.ts';
import { uniqueNames } from './write-lines.ts';

/** Writes it to `path`, where DuckDB may write. */
export async function writeParquet(
  { connection, columns, from }: Result,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const names = uniqueNames(columns.map(({ name }) => name));
  const list = columns.map(({ type }, i) => `${parquetValue(type, `c${i}`)} AS ${ident(names[i])}`);
  await connection.run(
    `COPY (SELECT ${list.join(', ')} FROM ${from}) TO ${text(path)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 61440)`,
    signal,
  );
}
