/** Parquet drops, read by DuckDB to a JSON text a row: then a row like any other. A row's line is its number in the file. */

import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckConnection } from '../../duckdb/duck.ts';
import { ident, text } from '../../duckdb/literal.ts';
import { TidemarkError } from '../../model/error.ts';
import type { LoadSettings } from '../settings.ts';
import { Unreadable } from './block-reader.ts';
import type { ReadOptions } from './read-drop.ts';
import type { RowSink } from './row-sink.ts';
import type { Source } from './unpack.ts';

const never = new AbortController().signal;

/** Throws Unreadable. A Parquet drop is not packed as a whole: its pages are. */
export async function readParquet(
  source: Source,
  rows: RowSink,
  { settings, duck, tempFolder }: ReadOptions,
): Promise<void> {
  const connection = await (await duck()).connect();
  const path = 'path' in source ? source.path : join(tempFolder, 'drop.parquet');
  try {
    if ('bytes' in source) await writeFile(path, source.bytes);
    await readFile(connection, path, rows, settings);
  } catch (error) {
    // Of what DuckDB says the first line: that the file is cut, no Parquet, or has a page that does not unpack.
    if (!(error instanceof TidemarkError) || error.code !== 'QUERY_FAILED') throw error;
    throw new Unreadable(`parquet: ${error.message}`);
  } finally {
    connection.close();
    if ('bytes' in source) await rm(path, { force: true });
  }
}

async function readFile(
  connection: DuckConnection,
  path: string,
  rows: RowSink,
  settings: LoadSettings,
): Promise<void> {
  const file = `read_parquet(${text(path)})`;
  const columns = await connection.rows<{ column_name: string; column_type: string }>(
    `DESCRIBE SELECT * FROM ${file}`,
    never,
  );
  const members = columns.map(
    ({ column_name: name, column_type: type }) =>
      `${text(`${JSON.stringify(name)}:`)} || coalesce(${jsonOf(ident(name), type)}, 'null')`,
  );
  const query = `SELECT '{' || ${members.join(` || ',' || `)} || '}' FROM ${file}`;
  await connection.use(async (duckdb) => {
    const result = await duckdb.stream(query);
    let line = 0;
    let total = 0;
    for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
      for (const json of chunk.getColumnValues(0)) {
        line++;
        const row = Buffer.from(String(json));
        total += row.length;
        if (total > settings.limits.inflatedBytes) {
          throw new Unreadable(`more than ${settings.limits.inflatedBytes} bytes (limits.inflated)`);
        }
        if (row.length > settings.limits.lineBytes) {
          rows.broken(line, `longer than ${settings.limits.lineBytes} bytes`, row.subarray(0, 64 * 1024));
        } else {
          rows.json(row, 0, row.length, line);
        }
      }
    }
  }, never);
}

/** A value as JSON text, its digits and microseconds as they are. */
function jsonOf(column: string, type: string): string {
  if (/^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|BOOLEAN|DECIMAL\(\d+,\d+\))$/.test(type))
    return `${column}::varchar`;
  if (/^(FLOAT|DOUBLE)$/.test(type)) {
    return `CASE WHEN isfinite(${column}) THEN ${column}::varchar ELSE '"' || ${column}::varchar || '"' END`;
  }
  if (type === 'BLOB') return `'"\\\\x' || lower(hex(${column})) || '"'`;
  if (/^(STRUCT|MAP|UNION)|\]$/.test(type)) return `to_json(${column})::varchar`;
  return `to_json(${column}::varchar)::varchar`;
}
