/** SQL over the raw files, by DuckDB: any reader of Parquet would do. */

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';

export type LakeSql = Disposable & {
  /** Rows of a statement, every value as text or number. */
  query(sql: string): Promise<Record<string, unknown>[]>;
};

/** Every table of the lake is a view by its folder's name: every version of every row that was exported. */
export async function openLakeSql(lake: string): Promise<LakeSql> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  await connection.run(`set timezone = 'UTC'`);
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
  for (const name of await readdir(path.join(lake, 'raw'))) {
    const files = path.join(lake, 'raw', name, '*', '*.parquet').replaceAll("'", "''");
    await connection.run(`create view ${quoted(name)} as from read_parquet('${files}', union_by_name = true)`);
  }
  return {
    query: async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJson() as Record<string, unknown>[],
    [Symbol.dispose]() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}
