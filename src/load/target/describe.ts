/** What the catalog says of a load's table and of the types that its configuration writes. */

import type pg from 'pg';
import type { TableName } from '../../model/table.ts';

/** A type below all domains: its name as SQL that holds in any search_path, without and with its modifier. */
export type TypeName = { base: string; kind: string; category: string };

export type FoundColumn = TypeName & {
  name: string;
  /** The column's own type, with modifier: `character varying(20)`, `app.mood`. */
  full: string;
  notNull: boolean;
  hasDefault: boolean;
  identityAlways: boolean;
  generated: boolean;
  /** Its collation tells texts apart that differ in bytes, as almost every one does. */
  deterministic: boolean;
  collation: string | null;
  mayInsert: boolean;
  mayUpdate: boolean;
};

export type FoundTable = {
  oid: number;
  kind: string;
  version: number;
  mayTemp: boolean;
  /** Of the table's schema. */
  mayUse: boolean;
  maySelect: boolean;
  columns: FoundColumn[];
  /** Unique indexes that ON CONFLICT can go by: the columns of each. */
  unique: string[][];
  /** The types that were asked for, in their order; null: Postgres knows no such type. */
  types: (WrittenType | null)[];
};

/** `domain`: it was written as one, so that the parser has not checked its values. */
export type WrittenType = TypeName & { domain: boolean };

// A domain's base type, down to the bottom.
const BASE = (oid: string) => `(with recursive b(oid, typtype, typbasetype) as (
    select t.oid, t.typtype, t.typbasetype from pg_type t where t.oid = ${oid}
    union all select t.oid, t.typtype, t.typbasetype from b join pg_type t on b.typtype = 'd' and t.oid = b.typbasetype)
  select t.oid from b join pg_type t on t.oid = b.oid where b.typtype <> 'd')`;

/** Null: there is no such table. Must run outside a transaction. */
export async function describeTarget(
  client: pg.ClientBase,
  name: TableName,
  types: string[],
): Promise<FoundTable | null> {
  await client.query('begin read only');
  try {
    // In the role's own search_path, as the configuration means them.
    const asked = await client.query<{ oid: string | null }>(
      `select pg_catalog.to_regtype(w.name)::pg_catalog.oid::pg_catalog.int8 as oid
       from pg_catalog.unnest($1::text[]) with ordinality w(name, ord) order by w.ord`,
      [types.map((type) => type.replace(/\([^)]*\)/, ''))],
    );
    // From here on names come with their schema, whatever the search_path is.
    await client.query('set local search_path = pg_catalog, pg_temp');
    const { rows } = await client.query<{
      oid: number;
      kind: string;
      version: string;
      temp: boolean;
      use: boolean;
      reads: boolean;
    }>(
      `select c.oid::int8::float8 as oid, c.relkind as kind, current_setting('server_version_num') as version,
         has_database_privilege(current_database(), 'TEMP') as temp, has_schema_privilege(n.oid, 'USAGE') as use,
         has_table_privilege(c.oid, 'SELECT') as reads
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = $1 and c.relname = $2`,
      [name.schema, name.table],
    );
    if (rows.length === 0) return null;
    const [{ oid, kind, version, temp, use, reads }] = rows;
    const columns = await client.query<FoundColumn>(
      `select a.attname as name, format_type(b.oid, -1) as base, b.typtype as kind, b.typcategory as category,
         format_type(a.atttypid, a.atttypmod) as full,
         a.attnotnull or t.typnotnull as "notNull", a.atthasdef or a.attidentity <> '' as "hasDefault",
         a.attidentity = 'a' as "identityAlways", a.attgenerated <> '' as generated,
         coalesce(l.collisdeterministic, true) as deterministic,
         case when a.attcollation <> 0 and a.attcollation <> b.typcollation
           then quote_ident(ln.nspname) || '.' || quote_ident(l.collname) end as collation,
         has_column_privilege(a.attrelid, a.attnum, 'INSERT') as "mayInsert",
         has_column_privilege(a.attrelid, a.attnum, 'UPDATE') as "mayUpdate"
       from pg_attribute a
       join pg_type t on t.oid = a.atttypid
       join pg_type b on b.oid = ${BASE('a.atttypid')}
       left join pg_collation l on l.oid = a.attcollation
       left join pg_namespace ln on ln.oid = l.collnamespace
       where a.attrelid = $1::float8::int8::oid and a.attnum > 0 and not a.attisdropped order by a.attnum`,
      [oid],
    );
    const unique = await client.query<{ columns: string[] }>(
      `select array_agg(a.attname::text) as columns
       from pg_index i
       cross join lateral unnest(i.indkey::int2[]) with ordinality k(attnum, place)
       join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
       where i.indrelid = $1::float8::int8::oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
         and k.place <= i.indnkeyatts
       group by i.indexrelid`,
      [oid],
    );
    const named = await client.query<{ base: string | null } & Omit<WrittenType, 'base'>>(
      `select format_type(b.oid, -1) as base, b.typtype as kind, b.typcategory as category, b.oid <> w.type as domain
       from unnest($1::int8[]) with ordinality w(type, ord)
       left join pg_type b on b.oid = ${BASE('w.type::oid')} order by w.ord`,
      [asked.rows.map((row) => row.oid)],
    );
    return {
      oid,
      kind,
      version: Number(version),
      mayTemp: temp,
      mayUse: use,
      maySelect: reads,
      columns: columns.rows,
      unique: unique.rows.map((row) => row.columns),
      types: named.rows.map(({ base, ...rest }) => (base === null ? null : { base, ...rest })),
    };
  } finally {
    await client.query('rollback').catch(() => {});
  }
}
