/**
 * Where a counted cursor's values come from, as far as the catalog tells. Only values that are drawn, in the transaction that
 * writes the row, from one count that grows over the whole table say when a row was written.
 */

import { sql } from 'kysely';
import type pg from 'pg';
import type { Micros } from '../model/mark.ts';
import { epochMicros, rowsOf } from './query.ts';

export type CursorCount = {
  column: string;
  /** The sequence of the column's default or identity, as people write it; null: it has none. */
  sequence: string | null;
  cache: bigint;
  increment: bigint;
  cycle: boolean;
  /** Row triggers that may set the column: their functions' bodies. */
  triggers: { name: string; onInsert: boolean; onUpdate: boolean; body: string }[];
  /** The last value drawn; null: none yet, or it may not be read. */
  last: bigint | null;
  /** The server's clock after `last` was read. */
  at: Micros;
  standby: boolean;
};

type Row = {
  sequence: string | null;
  cache: string | null;
  increment: string | null;
  cycle: boolean | null;
  triggers: CursorCount['triggers'];
  last: string | null;
  at: string;
  standby: boolean;
};

/** `column` of the table with that OID. */
export async function cursorCount(client: pg.ClientBase, oid: number, column: string): Promise<CursorCount> {
  // pg_sequence_last_value before the clock: a value drawn in between must lie above it.
  const [row] = await rowsOf(
    client,
    sql<Row>`
      with col as (
        select a.attrelid, a.attnum from pg_catalog.pg_attribute a
        where a.attrelid = ${oid} and a.attname = ${column} and not a.attisdropped
      ), found as (
        select d.refobjid as seq from col join pg_catalog.pg_attrdef f on f.adrelid = col.attrelid and f.adnum = col.attnum
          join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_attrdef'::regclass and d.objid = f.oid
            and d.refclassid = 'pg_catalog.pg_class'::regclass
        union
        select d.objid from col join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::regclass
          and d.refobjid = col.attrelid and d.refobjsubid = col.attnum and d.classid = 'pg_catalog.pg_class'::regclass and d.deptype = 'i'
      ), seq as materialized (
        select s.*, case when pg_catalog.has_sequence_privilege(s.seqrelid, 'SELECT, USAGE')
            then pg_catalog.pg_sequence_last_value(s.seqrelid) end as last
        from found join pg_catalog.pg_sequence s on s.seqrelid = found.seq limit 1
      )
      select seq.seqrelid::regclass::text as sequence, seq.seqcache::text as cache, seq.seqincrement::text as increment,
        seq.seqcycle as cycle, seq.last::text as last, ${epochMicros('pg_catalog.clock_timestamp()')}::text as at,
        pg_catalog.pg_is_in_recovery() as standby,
        (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('name', t.tgname, 'body', p.prosrc,
            'onInsert', t.tgtype & 4 <> 0, 'onUpdate', t.tgtype & 16 <> 0) order by t.tgname), '[]')
          from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid
          where t.tgrelid = ${oid} and not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 3 = 3 and t.tgtype & 20 <> 0) as triggers
      from (select) one left join seq on true`,
  );
  return {
    column,
    sequence: row.sequence,
    cache: BigInt(row.cache ?? 1),
    increment: BigInt(row.increment ?? 1),
    cycle: row.cycle ?? false,
    triggers: row.triggers,
    last: row.last === null ? null : BigInt(row.last),
    at: BigInt(row.at),
    standby: row.standby,
  };
}
