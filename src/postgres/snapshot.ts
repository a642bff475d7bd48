/**
 * Opens the read-only transaction that a table is exported in. Invariant: the table is locked before the snapshot is taken,
 * and every setting that changes how values print is ours, by SET LOCAL, so that it also holds behind a pooler.
 */

import { type RawBuilder, sql } from 'kysely';
import type pg from 'pg';
import type { History, Leaf, Micros } from '../model/mark.ts';
import type { TableName } from '../model/table.ts';
import { columnList } from './describe.ts';
import { type HistoryAsks, historyColumns, NO_HISTORY, parseHistory } from './history.ts';
import { leafList, parseLeaves, strangeLeaf } from './leaves.ts';
import { epochMicros, rowsOf, tableId, textOf } from './query.ts';
import { strangeTable } from './relation-kind.ts';

export type Snapshot = {
  /** Every id below it is finished. */
  xmin: bigint;
  /** Every id at or above it had not begun. */
  xmax: bigint;
  /** Top-level ids in between that were under way. */
  running: bigint[];
  /** The server's clock at the snapshot. */
  at: Micros;
  /** The table's columns as describe.ts lists them; null when the table is gone. */
  columnList: string | null;
  /** What holds its rows now; ascending. */
  leaves: Leaf[];
  /** Which server this is, as far as it says. */
  history: History;
};

/** How long we wait for a table that somebody has locked, in milliseconds. Our waiting request holds up everybody behind it. */
const LOCK_TIMEOUT_MS = 15_000;

const SETTINGS: Record<string, string> = {
  // A policy would hide rows without a word; off, Postgres refuses instead.
  row_security: 'off',
  standard_conforming_strings: 'on',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'iso_8601',
  TimeZone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  xmlbinary: 'base64',
  xmloption: 'content',
  quote_all_identifiers: 'off',
  // Type names inside values (regclass) print with their schema, and nobody's functions stand before Postgres's.
  search_path: 'pg_catalog',
  // Rows in the order of the table: a scan that joins another one begins in the middle, a parallel one mixes.
  synchronize_seqscans: 'off',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
};

/** The statements that begin such a transaction; locks and the snapshot come next. Limits in milliseconds. */
export function beginReading(statementMs: number, lockMs: number): string[] {
  const settings = { ...SETTINGS, statement_timeout: String(statementMs), lock_timeout: String(lockMs) };
  return [
    'begin isolation level repeatable read read only',
    ...Object.entries(settings).map(([name, value]) => `set local ${name} = '${value}'`),
  ];
}

/**
 * Begins, locks, takes the snapshot. `statementTimeoutMs` bounds each statement. Throws pg's DatabaseError: 42P01 (no such
 * table), 42501 (no grant), 55P03 (locked by somebody for too long); RELATION_KIND where rows have no transaction ids.
 */
export async function openSnapshot(
  client: pg.ClientBase,
  table: { name: TableName; oid: number },
  statementTimeoutMs: number,
  asks: HistoryAsks = NO_HISTORY,
): Promise<Snapshot> {
  const statements = [
    ...beginReading(statementTimeoutMs, LOCK_TIMEOUT_MS),
    // Before any SELECT, for the first one takes the snapshot: a TRUNCATE or a rewriting ALTER in between reads as an empty
    // table, and the mark would move on.
    textOf(sql`lock table ${tableId(table.name)} in access share mode`),
    // To UTF8 the server would refuse a SQL_ASCII database's odd bytes; as they are, each value meets its column's policy.
    textOf(sql`select pg_catalog.set_config('client_encoding',
      case pg_catalog.current_setting('server_encoding') when 'SQL_ASCII' then 'SQL_ASCII' else 'UTF8' end, true)`),
    textOf(sql`select pg_catalog.pg_snapshot_xmin(s)::text as xmin, pg_catalog.pg_snapshot_xmax(s)::text as xmax, s::text as snapshot,
      ${epochMicros('pg_catalog.clock_timestamp()')}::text as at, c.oid::pg_catalog.int8::text as oid,
      ${columnList(sql.lit(table.oid))} as columns, ${leafList(sql`c.oid`)} as leaves, ${historyColumns(asks)}
      from pg_catalog.pg_current_snapshot() s
      left join (pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace)
        on n.nspname = ${literal(table.name.schema)} and c.relname = ${literal(table.name.table)}`),
  ];
  const results = (await client.query(statements.join(';\n'))) as unknown as pg.QueryResult[];
  const row = results.at(-1)!.rows[0];
  const strange = strangeLeaf(row.leaves);
  if (strange) throw strangeTable(table.name, strange);
  return {
    xmin: BigInt(row.xmin),
    xmax: BigInt(row.xmax),
    running: (row.snapshot as string)
      .split(':')[2]
      .split(',')
      .filter((id) => id !== '')
      .map(BigInt),
    at: BigInt(row.at),
    columnList: Number(row.oid) === table.oid ? row.columns : null,
    leaves: parseLeaves(row.leaves),
    history: { ...parseHistory(row), xmax: BigInt(row.xmax) },
  };
}

/** Means the same whatever standard_conforming_strings is: our own setting comes too late for the message that it is in. */
export function literal(text: string): RawBuilder<string> {
  return sql.raw(`E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`);
}

/**
 * Which of these ids are still under way. Rows carry 32 bits of an id: a row frozen long ago can look like one of a
 * transaction that is running now, and that one must not count as exported.
 */
export async function stillRunning(client: pg.ClientBase, snapshot: Snapshot, ids: bigint[]): Promise<Set<bigint>> {
  const running = new Set(snapshot.running);
  const rows = await rowsOf(
    client,
    sql<{ id: string }>`select x::text as id from pg_catalog.unnest(${ids.map(String)}::int8[]) x
      where pg_catalog.pg_xact_status(x::text::pg_catalog.xid8) = 'in progress'`,
  );
  for (const row of rows) running.add(BigInt(row.id));
  return running;
}
