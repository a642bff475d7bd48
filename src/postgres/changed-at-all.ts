/**
 * Whether there is anything new in many tables, under one snapshot. Invariant: every table is locked before the snapshot is
 * taken, as for an export; a table that cannot be locked at once is not waited for.
 */

import { sql } from 'kysely';
import type pg from 'pg';
import type { History, Leaf, Micros } from '../model/mark.ts';
import type { TableName } from '../model/table.ts';
import { leavesOf } from './describe.ts';
import { type HistoryAsks, historyColumns, parseHistory } from './history.ts';
import { leafList, parseLeaves } from './leaves.ts';
import { epochMicros, tableId, textOf } from './query.ts';
import { beginReading, literal } from './snapshot.ts';

/** `cursor`: the column that the look will ask, null when it must read the whole table. */
export type Looked = { name: TableName; oid: number; cursor: string | null };

export type SharedSnapshot = {
  xmin: bigint;
  xmax: bigint;
  /** The server's clock at the snapshot. */
  at: Micros;
  history: History;
  /** In the order of the tables; null where another table has the name by now, or none. `bytes`: of all leaves, indexes apart. */
  tables: ({ leaves: Leaf[]; bytes: number; indexed: boolean } | null)[];
};

/** A look reads a small part of an index, or a small table; one that does not is better left to the table's own run. */
const LOOK_MS = 5_000;

/**
 * Begins a transaction that is the caller's to end. Throws pg's DatabaseError, for one of the tables: 42P01 (no such table),
 * 42501 (no grant), 55P03 (locked by somebody); then the transaction is still to be rolled back.
 */
export async function openShared(client: pg.ClientBase, tables: Looked[], asks: HistoryAsks): Promise<SharedSnapshot> {
  const values = tables.map(
    ({ name, oid, cursor }, i) =>
      sql`(${sql.raw(String(i))}, ${literal(name.schema)}, ${literal(name.table)}, ${sql.raw(String(oid))}::pg_catalog.oid, ${cursor === null ? sql`null` : literal(cursor)})`,
  );
  const statements = [
    ...beginReading(LOOK_MS, LOOK_MS),
    // Where an index can serve, nothing else may: what a look must not do is read a large table.
    'set local enable_seqscan = off',
    // Not waited for: behind our request for one table the locks on all others would be held.
    textOf(sql`lock table ${sql.join(tables.map(({ name }) => tableId(name)))} in access share mode nowait`),
    textOf(sql`select pg_catalog.pg_snapshot_xmin(s)::text as xmin, pg_catalog.pg_snapshot_xmax(s)::text as xmax,
      ${epochMicros('pg_catalog.clock_timestamp()')}::text as at, ${historyColumns(asks)} from pg_catalog.pg_current_snapshot() s`),
    textOf(sql`select w.i, case when c.relhassubclass or c.relkind = 'p' then ${leafList(sql`c.oid`)}
        else pg_catalog.format('[[%s, %s]]', c.oid::pg_catalog.int8, pg_catalog.pg_relation_filenode(c.oid)) end as leaves,
      (case when c.relhassubclass or c.relkind = 'p' then (select pg_catalog.sum(pg_catalog.pg_relation_size(l.oid)) from ${leavesOf(sql`c.oid`)} l)
        else pg_catalog.pg_relation_size(c.oid) end)::pg_catalog.float8 as bytes,
      w.cursor is not null and exists (select from pg_catalog.pg_attribute a
        join pg_catalog.pg_index x on x.indrelid = a.attrelid and x.indkey[0] = a.attnum and x.indisvalid and x.indpred is null
        join pg_catalog.pg_class p on p.oid = x.indexrelid join pg_catalog.pg_am m on m.oid = p.relam and m.amname = 'btree'
        where a.attrelid = c.oid and a.attname = w.cursor) as indexed
      from (values ${sql.join(values)}) w(i, schema, name, oid, cursor)
      join pg_catalog.pg_namespace n on n.nspname = w.schema
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name and c.oid = w.oid and c.relkind in ('r', 'p')`),
  ];
  const results = (await client.query(statements.join(';\n'))) as unknown as pg.QueryResult[];
  const [[server], found] = results.slice(-2).map(({ rows }) => rows);
  const byPlace = new Map(found.map((row) => [row.i as number, row]));
  return {
    xmin: BigInt(server.xmin),
    xmax: BigInt(server.xmax),
    at: BigInt(server.at),
    history: { ...parseHistory(server as Parameters<typeof parseHistory>[0]), xmax: BigInt(server.xmax) },
    tables: tables.map((_, i) => {
      const row = byPlace.get(i);
      return row ? { leaves: parseLeaves(row.leaves), bytes: row.bytes ?? 0, indexed: row.indexed } : null;
    }),
  };
}

/** Which of the queries bring a row at all, by their place. Inside the transaction of openShared(). */
export async function whichBring(client: pg.ClientBase, queries: string[]): Promise<Set<number>> {
  if (queries.length === 0) return new Set();
  const parts = queries.map((query, i) => `select ${i} as i where exists (${query})`);
  const { rows } = await client.query<{ i: number }>(parts.join('\nunion all '));
  return new Set(rows.map(({ i }) => i));
}
