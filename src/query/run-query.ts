/**
 * A statement over the lake, from its text to a view of its result. Invariant: only files that the statement's filters leave are
 * opened, and from the moment it is bound DuckDB reads nothing but the folders of the tables that it names.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BIGINT, DuckDBDataChunk } from '@duckdb/node-api';
import type { DuckConnection } from '../duckdb/duck.ts';
import { texts } from '../duckdb/literal.ts';
import { TidemarkError } from '../model/error.ts';
import type { Spool } from '../spool/spool.ts';
import type { Scan } from './filters.ts';
import { bringFiles, deletedRows, type FetchProgress, filesFolder, type LocalTable } from './local-files.ts';
import { type NamedTable, sameTable } from './names.ts';
import { blameStatement } from './query-error.ts';
import type { Result } from './result.ts';
import { checkStatement, listsTables, planScans, type Statement } from './statement.ts';
import { openTable, type QueryTable, stagedFolders, type TableSources } from './tables.ts';
import { carrier, GONE, schemaOf, standIn, viewName, viewOver } from './views.ts';

export type QueryDeps = TableSources & {
  connection: DuckConnection;
  spool: Spool;
  limitBytes: number;
  progress: FetchProgress;
};

/** The view that holds the statement's result; none for EXPLAIN, which is run as it is. */
export const RESULT = '"tidemark result"';

/**
 * Makes everything ready for the statement, and leaves the connection in a transaction; `again` does so when that was rolled back. The files stay until `stack` is
 * disposed of. Throws QUERY_INVALID, USAGE, TABLE_UNKNOWN, STAGED_*, STATE_*, LAKE_*, SPOOL_FULL.
 */
export async function prepareQuery(
  deps: QueryDeps,
  sql: string,
  version: number | undefined,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Statement & Pick<Result, 'again'>> {
  const { connection, lake, spool } = deps;
  const run = (statement: string) => connection.run(statement, signal);
  await mkdir(filesFolder(spool), { recursive: true });
  const places = [spool.folder, lake.localPath('staged'), lake.localPath('raw')].filter((place) => place !== null);
  await run(`SET allowed_directories = ${texts(places.map((place) => join(place, '/')))}`);
  await run('SET enable_external_access = false');
  await run('CREATE SCHEMA raw; CREATE SCHEMA tidemark');
  const { statement, tables } = await bindStatement(deps, sql, version, signal);
  // One now() for the plan that leaves files out and for the statement itself.
  await run('BEGIN');
  // A PRAGMA passes for a SELECT until here.
  const view = async () => {
    if (statement.kind !== 'explain') await run(`CREATE TEMP VIEW ${RESULT} AS ${statement.sql}`);
  };
  await view().catch(blameStatement);
  let local: LocalTable[] = [];
  if (statement.kind !== 'columns') {
    const scans = await planScans(connection, statement, signal);
    const needed = await Promise.all(
      tables.map(async (table) => ({ table, files: await table.files(scansOfTable(scans, table), signal) })),
    );
    local = await bringFiles(deps, needed, deps.limitBytes, stack, signal);
    await makeViews(deps, local, signal);
  }
  await run('SET lock_configuration = true');
  const again = async () => {
    await view();
    await makeViews(deps, local, signal);
  };
  return { ...statement, again };
}

/** Opens one table after another, until DuckDB finds everything that the statement names; of each there is one without rows then. */
async function bindStatement(
  deps: QueryDeps,
  sql: string,
  version: number | undefined,
  signal: AbortSignal,
): Promise<{ statement: Statement; tables: QueryTable[] }> {
  const tables: QueryTable[] = [];
  const open = async (named: NamedTable) => {
    if (version !== undefined && (named.kind === 'raw' || tables.length > 0)) throw oneVersion();
    const table = await openTable(deps, named, version, signal);
    await deps.connection.run(standIn(named, table.columns), signal);
    tables.push(table);
  };
  if (listsTables(sql)) {
    for (const name of await stagedFolders(deps.lake, signal)) await open({ kind: 'staged', name });
  }
  for (;;) {
    const bound = await checkStatement(deps.connection, sql, signal);
    if (!('missing' in bound)) return { statement: bound, tables };
    if (tables.some(({ named }) => sameTable(named, bound.missing))) throw bound.error;
    await open(bound.missing);
  }
}

function oneVersion(): TidemarkError {
  return new TidemarkError('USAGE', '--at-version is for a statement that names one staged table and no history', {
    hint: 'versions count each table by itself; in raw.<name> `_tidemark_run` tells what came when',
  });
}

/** Null where they are not known, or where the plan has the table in no scan that is understood. */
function scansOfTable(scans: Scan[] | null, { named }: QueryTable): Scan[] | null {
  const own = scans?.filter(({ schema, table }) => schema === schemaOf(named) && table === named.name) ?? [];
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
    await run(`DROP TABLE ${viewName(table.named)}`);
    const paths = vectored.map((each) => each.path);
    await run(viewOver(table.named, table.columns, { carrier: path, plain, vectored: paths, first }));
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
