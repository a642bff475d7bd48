/** What doctor asks of the tables' cursors, beyond what an export needs. One query, and one more for each counted cursor. */

import { sql } from 'kysely';
import type pg from 'pg';
import type { TableName } from '../model/table.ts';
import { type CursorCount, cursorCount } from './cursor-count.ts';
import { leafList, strangeLeaf } from './leaves.ts';
import { rowsOf } from './query.ts';

export type CursorFacts = {
  /** Null: no cursor was asked of, or there is no such column. */
  cursor: {
    kind: 'time' | 'count' | 'other';
    /** The server sets it: by a default, or by a trigger on rows. */
    setByServer: boolean;
    /** A valid B-tree index over all rows begins with it. */
    indexed: boolean;
    count: CursorCount | null;
  } | null;
  /** What of the table has no transaction ids. */
  strange: { leaf: string; what: string } | null;
};

type Row = { oid: number; type: number | null; set: boolean; indexed: boolean; leaves: string };

const KINDS: Record<number, 'time' | 'count'> = { 1184: 'time', 1114: 'time', 1082: 'time', 20: 'count', 23: 'count' };

/** In the order of `tables`. `column` null: the table is scanned. */
export async function cursorFacts(
  client: pg.ClientBase,
  tables: { name: TableName; column: string | null }[],
): Promise<CursorFacts[]> {
  const rows = await rowsOf(
    client,
    sql<Row & { ord: string }>`
      select w.ord, c.oid, (case when t.typtype = 'd' then t.typbasetype else t.oid end)::pg_catalog.int8::int as type,
        coalesce(a.atthasdef or a.attidentity <> '' or exists (select from pg_catalog.pg_trigger g where g.tgrelid = c.oid
          and not g.tgisinternal and g.tgenabled <> 'D' and g.tgtype & 3 = 3 and g.tgtype & 20 <> 0), false) as set,
        exists (select from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
          join pg_catalog.pg_am m on m.oid = x.relam
          where i.indrelid = c.oid and i.indisvalid and i.indpred is null and m.amname = 'btree' and i.indkey[0] = a.attnum) as indexed,
        ${leafList(sql`c.oid`)} as leaves
      from rows from (pg_catalog.unnest(${tables.map(({ name }) => name.schema)}::text[]),
        pg_catalog.unnest(${tables.map(({ name }) => name.table)}::text[]),
        pg_catalog.unnest(${tables.map(({ column }) => column)}::text[])) with ordinality w(schema, name, col, ord)
      join pg_catalog.pg_namespace n on n.nspname = w.schema
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name
      left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = w.col and a.attnum > 0 and not a.attisdropped
      left join pg_catalog.pg_type t on t.oid = a.atttypid`,
  );
  const found: CursorFacts[] = tables.map(() => ({ cursor: null, strange: null }));
  for (const { ord, oid, type, set, indexed, leaves } of rows) {
    const at = Number(ord) - 1;
    const kind = type === null ? null : (KINDS[type] ?? 'other');
    const count = kind === 'count' ? await cursorCount(client, oid, tables[at].column!) : null;
    const cursor = kind && { kind, setByServer: set, indexed, count };
    found[at] = { cursor, strange: strangeLeaf(leaves) };
  }
  return found;
}
