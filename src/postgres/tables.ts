/**
 * Every table that could be exported, as the catalog has it. One query. Invariant: a row of the database belongs to one
 * listed table: partitions are listed under their parent, and neither extensions' tables nor our own are listed.
 */

import { sql } from 'kysely';
import type pg from 'pg';
import type { TableName } from '../model/table.ts';
import { leavesOf } from './describe.ts';
import { rowsOf } from './query.ts';

export type TimeColumn = {
  name: string;
  type: 'timestamptz' | 'timestamp' | 'date';
  nullable: boolean;
  /** A valid B-tree index over all rows begins with it. */
  indexed: boolean;
};

export type CatalogTable = {
  name: TableName;
  /** In the table's order. */
  columns: string[];
  /** Columns that could be a cursor. */
  timeColumns: TimeColumn[];
  primaryKey: string[];
  partitioned: boolean;
  /** Postgres's estimate, over all partitions; null: it never counted. */
  estimatedRows: number | null;
  /** Whether the current role may read all of it. */
  mayRead: boolean;
  /** Whether it may use the schema. */
  mayUseSchema: boolean;
  /** Policies would hide rows from the current role. */
  rowSecurity: boolean;
};

type Row = Omit<CatalogTable, 'name'> & { schema: string; table: string };

/** Sorted by schema and name. `stateSchema`: our own, not listed; null when the state store is not in this database. */
export async function listTables(client: pg.ClientBase, stateSchema: string | null): Promise<CatalogTable[]> {
  const rows = await rowsOf(
    client,
    sql<Row>`
      with wanted as materialized (
        select c.oid, n.nspname, n.oid as namespace, c.relname, c.relkind, c.reltuples
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
          and n.nspname <> 'information_schema' and n.nspname !~ '^pg_' and n.nspname is distinct from ${stateSchema}
          and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass
            and d.objid = c.oid and d.objsubid = 0 and d.deptype = 'e')
      ), first_of_index as (
        select i.indrelid, i.indkey[0] as attnum
        from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid join pg_catalog.pg_am a on a.oid = c.relam
        where i.indisvalid and i.indpred is null and a.amname = 'btree'
      ), columns as (
        select a.attrelid, pg_catalog.json_agg(a.attname order by a.attnum) as names,
          pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname, 'type', b.typname, 'nullable', not a.attnotnull,
            'indexed', (a.attrelid, a.attnum) in (select indrelid, attnum from first_of_index)) order by a.attnum)
            filter (where b.oid in (1082, 1114, 1184)) as times
        from pg_catalog.pg_attribute a join wanted w on w.oid = a.attrelid
          join pg_catalog.pg_type t on t.oid = a.atttypid
          join pg_catalog.pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
        where a.attnum > 0 and not a.attisdropped
        group by a.attrelid
      ), keys as (
        select i.indrelid, pg_catalog.json_agg(a.attname order by k.place) as names
        from pg_catalog.pg_index i cross join lateral pg_catalog.unnest(i.indkey::pg_catalog.int2[]) with ordinality k(attnum, place)
          join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
        where i.indisprimary and k.place <= i.indnkeyatts
        group by i.indrelid
      )
      select w.nspname as schema, w.relname as table, coalesce(c.names, '[]') as columns, coalesce(c.times, '[]') as "timeColumns",
        coalesce(k.names, '[]') as "primaryKey", w.relkind = 'p' as partitioned,
        (case when w.relkind = 'p' then p.rows else nullif(w.reltuples, -1) end)::pg_catalog.float8 as "estimatedRows",
        pg_catalog.has_table_privilege(w.oid, 'SELECT') as "mayRead",
        pg_catalog.has_schema_privilege(w.namespace, 'USAGE') as "mayUseSchema",
        pg_catalog.row_security_active(w.oid) as "rowSecurity"
      from wanted w left join columns c on c.attrelid = w.oid left join keys k on k.indrelid = w.oid
        left join lateral (
          select pg_catalog.sum(nullif(l.reltuples, -1)) as rows from ${leavesOf(sql`w.oid`)} l
        ) p on w.relkind = 'p'
      order by w.nspname, w.relname`,
  );
  return rows.map(({ schema, table, ...rest }) => ({ name: { schema, table }, ...rest }));
}
