/**
 * A statement over the lake, from its text to a view of its result. Invariant: only files that the statement's filters leave are
 * opened, and from the moment it is bound DuckDB reads nothing but the folders of the tables that it names.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BIGINT, DuckDBDataChunk } from '@duckdb/node-api';
import type { DuckConnection } from '../duckdb/duck.ts';
import { texts } from '../duckdb/literal.ts';
import type { Spool } from '../spool/spool.ts';
import type { Scan } from './filters.ts';
import { bringFiles, deletedRows, type FetchProgress, filesFolder, type LocalTable } from './local-files.ts';
import { type NamedTable, namedTables } from './names.ts';
import { checkStatement, listsTables, namesIn, planScans, type Statement } from './statement.ts';
import { openTables, type QueryTable, stagedFolders, type TableSources } from './tables.ts';
import { carrier, GONE, standIn, viewName, viewOver } from './views.ts';

export type QueryDeps = TableSources & {
  connection: DuckConnection;
  spool: Spool;
  limitBytes: number;
  progress: FetchProgress;
};

/** The view that holds the statement's result; none for EXPLAIN, which is run as it is. */
export const RESULT = 'temp."tidemark result"';

/**
 * Makes everything ready for the statement, and leaves the connection in a transaction. The files stay until `stack` is
 * disposed of. Throws QUERY_INVALID, USAGE, TABLE_UNKNOWN, STAGED_*, STATE_*, LAKE_*, SPOOL_FULL.
 */
export async function prepareQuery(
  deps: QueryDeps,
  sql: string,
  version: number | undefined,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Statement> {
  const { connection, lake } = deps;
  const run = (statement: string) => connection.run(statement, signal);
  const tables = await openTables(deps, await wanted(deps, sql, signal), version, signal);
  await mkdir(filesFolder(deps.spool), { recursive: true });
  const folders = [filesFolder(deps.spool), ...tables.flatMap(({ root }) => lake.localPath(root) ?? [])];
  await run(`SET allowed_directories = ${texts(folders.map((folder) => join(folder, '/')))}`);
  await run('SET enable_external_access = false');
  await run('CREATE SCHEMA raw; CREATE SCHEMA tidemark');
  // One now() for the plan that leaves files out and for the statement itself.
  await run('BEGIN');
  for (const { view, columns } of tables) await run(standIn(view, columns));
  const statement = await checkStatement(connection, sql, signal);
  if (statement.kind !== 'explain') await run(`CREATE TEMP VIEW ${RESULT.slice('temp.'.length)} AS ${statement.sql}`);
  if (statement.kind !== 'columns') {
    const scans = await planScans(connection, statement, signal);
    const needed = await Promise.all(
      tables.map(async (table) => ({ table, files: await table.files(scansOfTable(scans, table), signal) })),
    );
    await makeViews(deps, await bringFiles(deps, needed, deps.limitBytes, stack, signal), signal);
  }
  await run('SET lock_configuration = true');
  return statement;
}

async function wanted(deps: QueryDeps, sql: string, signal: AbortSignal): Promise<NamedTable[]> {
  const names = namedTables(await namesIn(deps.connection, sql, signal));
  if (!listsTables(sql)) return names;
  return (await stagedFolders(deps.lake, signal)).map((name) => ({ kind: 'staged', name }));
}

/** Null where they are not known, or where the plan has the table in no scan that is understood. */
function scansOfTable(scans: Scan[] | null, { view }: QueryTable): Scan[] | null {
  const own = scans?.filter(({ schema, table }) => schema === view.schema && table === view.name) ?? [];
  return own.length > 0 ? own : null;
}

async function makeViews(deps: QueryDeps, tables: readonly LocalTable[], signal: AbortSignal): Promise<void> {
  const run = (statement: string) => deps.connection.run(statement, signal);
  await run(`CREATE TABLE ${GONE} (file BIGINT, "row" BIGINT)`);
  let file = 0;
  for await (const rows of deletedRows(deps.lake, tables, signal)) await addGone(deps.connection, file++, rows, signal);
  let first = 0;
  for (const [i, { table, plain, vectored }] of tables.entries()) {
    const path = join(filesFolder(deps.spool), `columns-${i}.parquet`);
    await run(carrier(table.columns, path));
    await run(`DROP TABLE ${viewName(table.view)}`);
    const paths = vectored.map((each) => each.path);
    await run(viewOver(table.view, table.columns, { carrier: path, plain, vectored: paths, first }));
    first += vectored.length;
  }
}

const CHUNK_ROWS = 2_048;

async function addGone(connection: DuckConnection, file: number, rows: number[], signal: AbortSignal): Promise<void> {
  await connection.use(async (duck) => {
    const appender = await duck.createAppender('gone', 'tidemark');
    for (let from = 0; from < rows.length; from += CHUNK_ROWS) {
      const part = rows.slice(from, from + CHUNK_ROWS).map(BigInt);
      const chunk = DuckDBDataChunk.create([BIGINT, BIGINT], part.length);
      chunk.setColumns([part.map(() => BigInt(file)), part]);
      appender.appendDataChunk(chunk);
    }
    appender.closeSync();
  }, signal);
}
