/** What holds a table's rows: itself, its partitions, its children. Looked at inside the run's transaction, after the lock. */

import { type RawBuilder, sql } from 'kysely';
import type pg from 'pg';
import type { Leaf, LeafRule } from '../model/mark.ts';
import { displayName } from '../model/table.ts';
import type { LeafChoice } from './changed-rows.ts';
import { leavesOf } from './describe.ts';
import { rowsOf } from './query.ts';

/**
 * `[[oid, filenode] …]` of the table with that OID, as text, with schema, name, kind and access method behind them where those are
 * not a plain table's. A catalog that is mapped has its filenode elsewhere than in pg_class.
 */
export function leafList(oid: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`(select coalesce(pg_catalog.json_agg(case when l.relkind = 'r' and l.relam = ${HEAP}
        then pg_catalog.json_build_array(l.oid::pg_catalog.int8, coalesce(pg_catalog.pg_relation_filenode(l.oid), 0)::pg_catalog.int8)
        else pg_catalog.json_build_array(l.oid::pg_catalog.int8, coalesce(pg_catalog.pg_relation_filenode(l.oid), 0)::pg_catalog.int8,
          (select n.nspname from pg_catalog.pg_namespace n where n.oid = l.relnamespace), l.relname, l.relkind,
          (select a.amname from pg_catalog.pg_am a where a.oid = l.relam
            and a.amhandler <> 'pg_catalog.heap_tableam_handler'::pg_catalog.regproc)) end order by l.oid), '[]')::text
    from ${leavesOf(oid)} l)`;
}

/** Of Postgres's own access method for tables; fixed. */
const HEAP = sql.raw('2');

type Listed = [oid: number, filenode: number, schema?: string, table?: string, kind?: string, method?: string | null];

export function parseLeaves(text: string): Leaf[] {
  return (JSON.parse(text) as Listed[]).map(([oid, filenode]) => ({ oid, filenode }));
}

/** The first leaf whose rows have no transaction id of this server's; null: all have one. */
export function strangeLeaf(text: string): { leaf: string; what: string } | null {
  for (const [, , schema, table, kind, method] of JSON.parse(text) as Listed[]) {
    if (schema === undefined || table === undefined) continue;
    const leaf = displayName({ schema, table });
    if (kind === 'f') return { leaf, what: "a foreign table: its rows have no transaction id of this server's" };
    if (method) return { leaf, what: `kept by the access method ${method}, which may have no transaction ids` };
  }
  return null;
}

/**
 * How each of the leaves is best read apart. A leaf without a single block is left out: what is written to it later is
 * found like any other change.
 */
export async function leafChoices(
  client: pg.ClientBase,
  apart: { leaf: Pick<Leaf, 'oid'>; rule: LeafRule }[],
): Promise<LeafChoice[]> {
  if (apart.length === 0) return [];
  // By its own name where the role may: the table's grant holds for its partitions only through the table, and a policy of
  // the partition's own would be refused.
  const rows = await rowsOf(
    client,
    sql<{ oid: number; schema: string; table: string; readable: boolean; constraint: string | null }>`
      select c.oid, n.nspname as schema, c.relname as table, pg_catalog.pg_get_partition_constraintdef(c.oid) as constraint,
        pg_catalog.has_table_privilege(c.oid, 'SELECT') and pg_catalog.has_schema_privilege(n.oid, 'USAGE')
          and not pg_catalog.row_security_active(c.oid) as readable
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.oid = any(${apart.map(({ leaf }) => leaf.oid)}::pg_catalog.oid[])
        and pg_catalog.pg_relation_size(c.oid) > 0
      order by c.oid`,
  );
  const rules = new Map(apart.map(({ leaf, rule }) => [leaf.oid, rule]));
  return rows.map(({ oid, schema, table, readable, constraint }) => ({
    rule: rules.get(oid)!,
    oid,
    name: readable ? { schema, table } : null,
    constraint,
  }));
}
