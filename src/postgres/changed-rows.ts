/**
 * The query for the rows that the last run's snapshot could not see. Invariant: the cursor is only the prefilter that an
 * index can serve; the row's transaction id decides.
 */

import { type RawBuilder, sql } from 'kysely';
import type { Selection } from '../model/column-type.ts';
import { formatRanges } from '../model/id-ranges.ts';
import type { Mark, Micros } from '../model/mark.ts';
import type { TableName } from '../model/table.ts';
import { builder, tableId, textOf } from './query.ts';
import { instantText } from './render.ts';

export type CursorType = 'timestamptz' | 'timestamp' | 'date';

export type Cursor = { column: string; type: CursorType; notNull: boolean; timezone: string | null };

/** Which rows are wanted. */
export type RowChoice = {
  /** What the last run left; null: every row. */
  since: Pick<Mark, 'xmin' | 'seen' | 'floor'> | null;
};

export type ChangedRows = RowChoice & {
  table: TableName;
  columns: { name: string; selection: Selection }[];
  /** The snapshot's xmax: ids are 64 bits wide relative to it. */
  xmax: bigint;
  cursor: Cursor | null;
  /** The user's condition. */
  where: string | null;
  /** Least cursor value of a first export, as the user wrote it. */
  start: string | null;
};

/** `COPY (…) TO STDOUT (FORMAT binary)`; the row's xmin comes as one more field at the end. */
export function copyChangedRows(query: ChangedRows): string {
  return `copy (${selectChangedRows(query)}) to stdout (format binary)`;
}

export function selectChangedRows(query: ChangedRows): string {
  let select = builder
    .selectFrom(sql`${tableId(query.table)}`.as('t'))
    .select([...query.columns.map((c, i) => selected(c.name, c.selection).as(`c${i}`)), sql.ref('t.xmin').as('x')]);
  const { cursor, since } = query;
  const column = cursor && sql`t.${sql.id(cursor.column)}`;
  if (since) {
    if (cursor && since.floor !== null) {
      const least = sql<boolean>`${column} >= ${floorLiteral(since.floor, cursor)}`;
      select = select.where(cursor.notNull ? least : sql<boolean>`(${least} or ${column} is null)`);
    }
    // 64 bits wide, not age(): frozen rows keep their raw xmin, and past 2^31 transactions age() stands still.
    const max = sql.raw(String(query.xmax));
    const id = sql`(${max} - ((${max} - t.xmin::text::int8) & 4294967295))`;
    select = select.where(sql<boolean>`${id} >= ${sql.raw(String(since.xmin))}`);
    if (since.seen.length > 0) {
      select = select.where(sql<boolean>`not (${id} <@ ${sql.lit(formatRanges(since.seen))}::int8multirange)`);
    }
  } else if (cursor && query.start !== null) {
    const least = sql<boolean>`${column} >= ${sql.lit(query.start)}::${sql.raw(cursor.type)}`;
    select = select.where(cursor.notNull ? least : sql<boolean>`(${least} or ${column} is null)`);
  }
  if (query.where !== null) select = select.where(sql<boolean>`(${sql.raw(query.where)})`);
  return textOf(select);
}

/**
 * The floor as a value of the cursor's type, never above any value that a writer's now() can have become: timestamps of
 * fewer digits round, so the floor is cut to a whole second; a column without a zone holds the wall clock of whoever wrote it.
 */
function floorLiteral(floor: Micros, cursor: Pick<Cursor, 'type' | 'timezone'>): RawBuilder<unknown> {
  const second = floor - (((floor % 1_000_000n) + 1_000_000n) % 1_000_000n);
  if (cursor.type === 'timestamptz') return sql`${sql.lit(instantText(second, true))}::timestamptz`;
  const wall =
    cursor.timezone === null
      ? // UTC-12: no wall clock on earth shows an earlier time.
        sql`${sql.lit(instantText(second - 12n * 3_600_000_000n, false))}::timestamp`
      : // An hour less: in autumn the same wall clock comes twice.
        sql`((${sql.lit(instantText(second, true))}::timestamptz at time zone ${sql.lit(cursor.timezone)}) - interval '1 hour')`;
  return cursor.type === 'date' ? sql`(${wall})::date` : wall;
}

function selected(name: string, selection: Selection): RawBuilder<unknown> {
  const column = sql`t.${sql.id(name)}`;
  switch (selection) {
    case 'plain':
      return column;
    case 'output':
      return sql`case when ${column} is null then null else pg_catalog.format('%s', ${column}) end`;
    case 'numeric':
      return sql`${column}::numeric`;
    case 'numeric-text':
      return sql`${column}::text::numeric`;
    case 'json':
      return sql`pg_catalog.to_json(${column})::text`;
    case 'composite-json':
      // Not `is null`: a composite whose fields are all NULL `is null`, and is a value nevertheless.
      return sql`case when ${column} is not distinct from null then null when ${changedByJson(column)}
        then '!' || pg_catalog.format('%s', ${column}) else pg_catalog.to_json(${column})::text end`;
    case 'array-json':
      return arrayJson(column, null);
    case 'json-array-json':
      return arrayJson(column, sql`pg_catalog.json_typeof(_element_) = 'null'`);
    case 'jsonb-array-json':
      return arrayJson(column, sql`pg_catalog.jsonb_typeof(_element_) = 'null'`);
    case 'composite-array-json':
      return arrayJson(column, changedByJson(sql`_element_`));
    case 'range-json':
      return sql`case when ${column} is null then null else ${rangeJson(column)}::text end`;
    case 'multirange-json':
      return sql`case when ${column} is null then null else
        (select coalesce(pg_catalog.json_agg(${rangeJson(sql`r`)}), '[]')::text from pg_catalog.unnest(${column}) r) end`;
  }
}

/** `inexact`: whether JSON would change an array for the sake of this `_element_`; then Postgres's own text comes instead, marked. */
function arrayJson(column: RawBuilder<unknown>, inexact: RawBuilder<unknown> | null): RawBuilder<unknown> {
  // to_json drops lower bounds.
  const odd = [1, 2, 3, 4, 5, 6].map((d) => sql`pg_catalog.array_lower(${column}, ${sql.raw(String(d))}) <> 1`);
  if (inexact) odd.push(sql`exists (select from pg_catalog.unnest(${column}) _element_ where ${inexact})`);
  return sql`case when ${column} is null then null when ${sql.join(odd, sql` or `)}
    then '!' || pg_catalog.format('%s', ${column}) else pg_catalog.to_json(${column})::text end`;
}

/** Whether a composite made of its JSON prints differently: bounds of arrays, and json's null where there was one. */
function changedByJson(value: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`pg_catalog.format('%s', pg_catalog.json_populate_record(${value}, pg_catalog.to_json(${value})))
    <> pg_catalog.format('%s', ${value})`;
}

function rangeJson(range: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(case when pg_catalog.isempty(${range}) then pg_catalog.json_build_object('empty', true)
    else pg_catalog.json_build_object('lower', pg_catalog.lower(${range}), 'upper', pg_catalog.upper(${range}),
      'lower_inc', pg_catalog.lower_inc(${range}), 'upper_inc', pg_catalog.upper_inc(${range})) end)`;
}
