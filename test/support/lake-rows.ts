/** Reads what stands under a folder of raw/ with DuckDB: every visible file, columns matched by name. */

import { access } from 'node:fs/promises';
import { DuckDBInstance } from '@duckdb/node-api';

/** Every row, each value as DuckDB's text; no row when the folder does not exist or holds no file. `names`: only these columns. */
export async function lakeRows(folder: string, names?: string[]): Promise<Record<string, string | null>[]> {
  if (
    !(await access(folder).then(
      () => true,
      () => false,
    ))
  )
    return [];
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    await connection.run("set timezone = 'UTC'");
    const glob = `${folder.replaceAll("'", "''")}/*/*.parquet`;
    const found = await connection.runAndReadAll(`select count(*) from glob('${glob}')`);
    if (Number(found.getRows()[0][0]) === 0) return [];
    const columns = names ? `[${names.map((name) => `'${name}'`)}]` : '*';
    const reader = await connection.runAndReadAll(
      `select columns(${columns})::varchar from read_parquet('${glob}', union_by_name = true, hive_partitioning = false)`,
    );
    return reader.getRowObjectsJS() as Record<string, string | null>[];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
