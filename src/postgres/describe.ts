/** What the catalog says of the tables to export: columns, types, key. One query for any number of tables. */

import { type RawBuilder, sql } from 'kysely';
import type pg from 'pg';
import type { PgType } from '../model/column-type.ts';
import type { TableName } from '../model/table.ts';
import { rowsOf } from './query.ts';
import type { TypeCatalog } from './type-catalog.ts';

export type SourceColumn = { name: string; type: PgType; notNull: boolean };

export type SourceTable = {
  name: TableName;
  oid: number;
  columns: SourceColumn[];
  primaryKey: string[];
  /** Postgres's estimate over all partitions; 0 when it never counted. */
  estimatedRows: number;
  /** Text that changes whenever the column list does; compare with columnList() inside the run's transaction. */
  columnList: string;
};

/** Every column of the table with that OID, as one text: number, name, type, typmod, NOT NULL. */
export function columnList(oid: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`(select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
      a.attnum, a.attname, a.atttypid::pg_catalog.int8, a.atttypmod, a.attnotnull) order by a.attnum), '[]')::text
    from pg_catalog.pg_attribute a where a.attrelid = ${oid} and a.attnum > 0 and not a.attisdropped)`;
}

/**
 * The partitions of a table that hold rows, from pg_class. Not pg_partition_tree(), nor pg_total_relation_size(): they lock
 * what they look at, and one VACUUM FULL would hold up the export of every other table.
 */
export function leavesOf(oid: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(with recursive tree(oid) as (select ${oid} union all
      select i.inhrelid from pg_catalog.pg_inherits i join tree on i.inhparent = tree.oid where not i.inhdetachpending)
    select c.* from tree join pg_catalog.pg_class c on c.oid = tree.oid where c.relkind <> 'p')`;
}

/** In the order of `names`; null where there is no such table (or the role may not see its schema). */
export async function describeTables(
  client: pg.ClientBase,
  names: TableName[],
  types: TypeCatalog,
): Promise<(SourceTable | null)[]> {
  const rows = await rowsOf(
    client,
    sql<{ ord: string; oid: number; columns: string; key: string[] | null; estimate: number }>`
      select w.ord, c.oid, ${columnList(sql`c.oid`)} as columns,
        (select pg_catalog.array_agg(a.attname::text order by k.place)
           from pg_catalog.pg_index i
           cross join lateral pg_catalog.unnest(i.indkey::pg_catalog.int2[]) with ordinality k(attnum, place)
           join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
          where i.indrelid = c.oid and i.indisprimary and k.place <= i.indnkeyatts) as key,
        (case when c.relkind = 'p'
          then (select pg_catalog.sum(greatest(l.reltuples, 0)) from ${leavesOf(sql`c.oid`)} l)
          else greatest(c.reltuples, 0) end)::pg_catalog.float8 as estimate
      from rows from (pg_catalog.unnest(${names.map((n) => n.schema)}::text[]), pg_catalog.unnest(${names.map((n) => n.table)}::text[]))
        with ordinality w(schema, name, ord)
      join pg_catalog.pg_namespace n on n.nspname = w.schema
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name and c.relkind in ('r', 'p')`,
  );
  const parsed = rows.map((row) => ({ ...row, list: JSON.parse(row.columns) as ColumnTuple[] }));
  await types.load(
    client,
    parsed.flatMap(({ list }) => list.map(([, , type]) => type)),
  );
  const found = new Map(parsed.map((row) => [Number(row.ord) - 1, row]));
  return names.map((name, i) => {
    const row = found.get(i);
    if (!row) return null;
    return {
      name,
      oid: row.oid,
      columns: row.list.map(([, column, type, typmod, notNull]) => ({
        name: column,
        type: types.resolve(type, typmod),
        notNull,
      })),
      primaryKey: row.key ?? [],
      estimatedRows: row.estimate ?? 0,
      columnList: row.columns,
    };
  });
}

type ColumnTuple = [attnum: number, name: string, type: number, typmod: number, notNull: boolean];
