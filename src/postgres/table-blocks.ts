/** How large a table is, in the blocks that a range of row positions is made of. Asked while the table is locked. */

import { sql } from 'kysely';
import type pg from 'pg';
import type { Leaf } from '../model/mark.ts';
import { leavesOf } from './describe.ts';
import { rowsOf } from './query.ts';

export type TableBlocks = {
  /** Of each leaf, in no order. */
  blocks: number[];
  /** Of all of them, with what stands apart from the rows (TOAST). */
  bytes: number;
  /** Whether every leaf can be read by ranges of blocks. */
  byBlocks: boolean;
};

export async function tableBlocks(client: pg.ClientBase, leaves: Leaf[]): Promise<TableBlocks> {
  const rows = await rowsOf(
    client,
    sql<{ blocks: string; bytes: string; heap: boolean }>`
      select (pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8)::text as blocks,
        coalesce(pg_catalog.pg_table_size(c.oid), 0)::text as bytes, c.relkind in ('r', 'm') as heap
      from pg_catalog.pg_class c where c.oid = any(${leaves.map(({ oid }) => oid)}::pg_catalog.oid[])`,
  );
  return {
    blocks: rows.map(({ blocks }) => Number(blocks)),
    bytes: rows.reduce((sum, { bytes }) => sum + Number(bytes), 0),
    byBlocks: rows.every(({ heap }) => heap),
  };
}

/** As Postgres counted when it last analyzed or vacuumed, without a lock; null: it has not counted all of it yet. */
export async function estimatedBytes(client: pg.ClientBase, table: number): Promise<number | null> {
  const [{ pages, unknown }] = await rowsOf(
    client,
    sql<{ pages: string | null; unknown: boolean | null }>`
      select pg_catalog.sum(l.relpages::int8 + coalesce(t.relpages, 0))::text as pages, pg_catalog.bool_or(l.reltuples < 0) as unknown
      from ${leavesOf(sql`${table}::pg_catalog.oid`)} l left join pg_catalog.pg_class t on t.oid = l.reltoastrelid`,
  );
  return unknown ? null : Number(pages ?? 0) * BLOCK;
}

/** Of nearly every server: good enough for an estimate. */
const BLOCK = 8192;
