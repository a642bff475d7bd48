/** How large a table is, in the blocks that a range of row positions is made of. Asked while the table is locked. */

import { sql } from 'kysely';
import type pg from 'pg';
import type { Leaf } from '../model/mark.ts';
import { rowsOf } from './query.ts';

export type TableBlocks = {
  /** Of each leaf, in no order. */
  blocks: number[];
  /** Of all of them, with what stands apart from the rows (TOAST). */
  bytes: number;
  /** Whether every leaf can be read by ranges of blocks. */
  byBlocks: boolean;
};

export async function tableBlocks(client: pg.ClientBase, leaves: Pick<Leaf, 'oid'>[]): Promise<TableBlocks> {
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
