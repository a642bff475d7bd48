/** Kysely as the builder of what runs on the source: it compiles, a pg client executes, so that transactions and COPY share one connection. */

import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
  sql,
} from 'kysely';
import type pg from 'pg';
import type { TableName } from '../model/table.ts';

/** Builds and compiles; never executes. */
// biome-ignore lint/suspicious/noExplicitAny: the source's tables are known at run time only
export const builder = new Kysely<any>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

/** Executes one statement with its parameters, outside or inside whatever transaction the client is in. */
export async function rowsOf<R extends pg.QueryResultRow>(client: pg.ClientBase, query: RawBuilder<R>): Promise<R[]> {
  const compiled = query.compile(builder);
  return (await client.query<R>(compiled.sql, compiled.parameters as unknown[])).rows;
}

/** The text of something compiled without parameters: for COPY and for statements that take none. */
export function textOf(query: {
  compile(db: typeof builder): { sql: string; parameters: readonly unknown[] };
}): string {
  const compiled = query.compile(builder);
  // A parameter would reach the server as a bare `$1`, which COPY cannot bind.
  if (compiled.parameters.length > 0) throw new Error('a statement without parameters was expected');
  return compiled.sql;
}

/** A table's name, each part quoted as it is: sql.table would split one that holds a dot. */
export function tableId(name: TableName): RawBuilder<unknown> {
  return sql`${sql.id(name.schema)}.${sql.id(name.table)}`;
}

/** An instant as exact microseconds since 1970, an int8: to_timestamp and a JavaScript Date are not exact. */
export function epochMicros(expression: string): RawBuilder<string> {
  return sql.raw(`(extract(epoch from ${expression}) * 1000000)::pg_catalog.int8`);
}
