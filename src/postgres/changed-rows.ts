/**
 * The query for the rows that the last run's snapshot could not see. Invariant: the cursor is only the prefilter that an
 * index can serve; the row's transaction id decides.
 */

import { type RawBuilder, sql } from 'kysely';
import type { Selection } from '../model/column-type.ts';
import { formatRanges } from '../model/id-ranges.ts';
import type { LeafRule, Mark, Micros } from '../model/mark.ts';
import type { TableName } from '../model/table.ts';
import { coveredValue } from '../model/trail.ts';
import { builder, tableId, textOf } from './query.ts';
import { instantText } from './render.ts';

/** `bigint`: counted, of an integer type. */
export type CursorType = 'timestamptz' | 'timestamp' | 'date' | 'bigint';

export type Cursor = { column: string; type: CursorType; notNull: boolean; timezone: string | null };

/** A range of blocks, in each of a table's leaves: from `from` up to, but not including, `to`; `to` null: to the end. */
export type Blocks = { from: number; to: number | null };

/** Cursor values as Postgres reads them: from `from` up to, but not including, `to`; null: to the end. */
export type CursorBounds = { from: string; to: string | null };

/** A mark, as far as rows are compared with it. */
export type Since = Pick<Mark, 'xmin' | 'seen' | 'floor'> & { trail?: Mark['trail'] };

/** Which rows are wanted. */
export type RowChoice = {
  /** What the last run left; null: every row. */
  since: Since | null;
  /** Partitions that are read by another rule; only with `since`. */
  apart?: LeafChoice[];
  /** These leaves and no others, each by its rule; in place of `apart`. Without `since` all of them whole. */
  only?: LeafChoice[];
  /** Rows of this range alone, whatever was exported; a NULL cursor lies in none. */
  between?: CursorBounds;
  /** Only rows that a run since this mark would leave out: what the run that leaves the mark has to bring. */
  before?: Since;
  /** Only rows of these blocks. */
  blocks?: Blocks;
  /** Zeros in the place of the rows' ids: an index alone can then serve a query for its columns. */
  withoutIds?: boolean;
  /** Only rows of these leaves (oids). */
  onlyLeaves?: number[];
};

export type LeafChoice = {
  rule: LeafRule;
  oid: number;
  /** Its own name; null: it may be read through the table alone. */
  name: TableName | null;
  /** Its partition constraint, by which Postgres leaves the others out; null: it has none. */
  constraint: string | null;
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

/** To plan a branch for each of more partitions takes longer than to read all of them once. */
const MOST_BRANCHES = 50;

export function selectChangedRows(query: ChangedRows): string {
  const { since, table, only } = query;
  const apart = only ?? (since ? (query.apart ?? []) : []);
  if (apart.length === 0) return selectRows(query, since, tableId(table), only ? [sql<boolean>`false`] : []);
  const among = (leaves: LeafChoice[]) => sql.raw(`'{${leaves.map(({ oid }) => oid).join(',')}}'::pg_catalog.oid[]`);
  // A branch each, not `or t.tableoid = …`: with that no partition's index would serve.
  const others = [sql<boolean>`t.tableoid <> all(${among(apart)})`];
  const branches = only ? [] : [selectRows(query, since, tableId(table), others)];
  const rules = { all: null, ids: since && { ...since, floor: null }, changed: since };
  for (const [rule, by] of Object.entries(rules)) {
    const leaves = apart.filter((leaf) => leaf.rule === rule);
    if (leaves.length > MOST_BRANCHES) {
      branches.push(selectRows(query, by, tableId(table), [sql<boolean>`t.tableoid = any(${among(leaves)})`]));
      continue;
    }
    for (const { name, oid, constraint } of leaves) {
      const its = [sql<boolean>`t.tableoid = ${sql.raw(String(oid))}`];
      if (constraint !== null) its.unshift(sql<boolean>`(${sql.raw(constraint)})`);
      branches.push(
        name ? selectRows(query, by, sql`only ${tableId(name)}`, []) : selectRows(query, by, tableId(table), its),
      );
    }
  }
  return branches.join(' union all ');
}

function selectRows(
  query: ChangedRows,
  since: RowChoice['since'],
  from: RawBuilder<unknown>,
  only: RawBuilder<boolean>[],
): string {
  let select = builder
    .selectFrom(sql`${from}`.as('t'))
    .select([
      ...query.columns.map((c, i) => selected(c.name, c.selection).as(`c${i}`)),
      (query.withoutIds ? sql`'0'::pg_catalog.xid` : sql.ref('t.xmin')).as('x'),
    ]);
  for (const condition of only) select = select.where(condition);
  const { cursor, between } = query;
  const column = cursor && sql`t.${sql.id(cursor.column)}`;
  const value = (text: string) => sql`${sql.lit(text)}::${sql.raw(cursor!.type)}`;
  if (since) {
    const prefilter = atOrAboveFloor(since, cursor);
    if (prefilter) select = select.where(prefilter);
    for (const condition of unseen(since, query.xmax)) select = select.where(condition);
  } else if (cursor && between) {
    select = select.where(sql<boolean>`${column} >= ${value(between.from)}`);
    if (between.to !== null) select = select.where(sql<boolean>`${column} < ${value(between.to)}`);
  } else if (cursor && query.start !== null) {
    const least = sql<boolean>`${column} >= ${value(query.start)}`;
    select = select.where(cursor.notNull ? least : sql<boolean>`(${least} or ${column} is null)`);
  }
  for (const condition of partOf(query)) select = select.where(condition);
  if (query.where !== null) select = select.where(sql<boolean>`(${sql.raw(query.where)})`);
  return textOf(select);
}

/** What an index on the cursor can serve; null: there is no cursor or no floor. */
function atOrAboveFloor(since: Since, cursor: Cursor | null): RawBuilder<boolean> | null {
  const floor = cursor && floorOf(since, cursor);
  if (!floor) return null;
  const column = sql`t.${sql.id(cursor.column)}`;
  const least = sql<boolean>`${column} >= ${floor}`;
  return cursor.notNull ? least : sql<boolean>`(${least} or ${column} is null)`;
}

function floorOf({ floor, trail }: Since, cursor: Cursor): RawBuilder<unknown> | null {
  if (floor === null) return null;
  if (cursor.type !== 'bigint') return floorLiteral(floor, cursor.type, cursor.timezone);
  const value = coveredValue(trail ?? [], floor);
  return value === null ? null : sql`${sql.lit(String(value))}::pg_catalog.int8`;
}

/** That the row's id is one that the mark leaves open; all of the conditions together. */
function unseen({ xmin, seen }: Pick<Mark, 'xmin' | 'seen'>, xmax: bigint): RawBuilder<boolean>[] {
  // 64 bits wide, not age(): frozen rows keep their raw xmin, and past 2^31 transactions age() stands still.
  const max = sql.raw(String(xmax));
  const id = sql`(${max} - ((${max} - t.xmin::text::int8) & 4294967295))`;
  // Zero: of another history, where ids are not asked. (One from 2^32 transactions ago would come out negative.)
  const conditions = xmin > 0n ? [sql<boolean>`${id} >= ${sql.raw(String(xmin))}`] : [];
  if (seen.length > 0) conditions.push(sql<boolean>`not (${id} <@ ${sql.lit(formatRanges(seen))}::int8multirange)`);
  return conditions;
}

/** The conditions of a part of a full run. */
function partOf({ before, blocks, onlyLeaves, cursor, xmax }: ChangedRows): RawBuilder<boolean>[] {
  const conditions: RawBuilder<boolean>[] = [];
  const tid = (block: number) => sql.raw(`'(${block},0)'::pg_catalog.tid`);
  if (blocks) conditions.push(sql<boolean>`t.ctid >= ${tid(blocks.from)}`);
  if (blocks && blocks.to !== null) conditions.push(sql<boolean>`t.ctid < ${tid(blocks.to)}`);
  if (onlyLeaves)
    conditions.push(sql<boolean>`t.tableoid = any('{${sql.raw(onlyLeaves.join(','))}}'::pg_catalog.oid[])`);
  if (before) {
    const left = unseen(before, xmax);
    const prefilter = atOrAboveFloor(before, cursor);
    // A row frozen more than 2^32 transactions ago shows the 32 bits of a new id. The next run finds it only above the floor:
    // below, it must come now. With fewer transactions there is no such row, and an update that leaves the cursor as it was
    // must not bring a second version of a row.
    if (prefilter && xmax > ID_SPAN) left.unshift(prefilter);
    // age() first, which is cheap: what looks older than the mark's xmin is older.
    const first = sql.raw(`'${before.xmin & (ID_SPAN - 1n)}'::pg_catalog.xid`);
    conditions.push(
      sql<boolean>`(pg_catalog.age(t.xmin) > pg_catalog.age(${first}) or not (${sql.join(left, sql` and `)}))`,
    );
  }
  return conditions;
}

/** Ids that 32 bits tell apart. */
const ID_SPAN = 1n << 32n;

/**
 * The floor as a value of the cursor's type, never above any value that a writer's now() can have become: timestamps of
 * fewer digits round, so the floor is cut to a whole second; a column without a zone holds the wall clock of whoever wrote it.
 */
function floorLiteral(
  floor: Micros,
  type: 'timestamptz' | 'timestamp' | 'date',
  timezone: string | null,
): RawBuilder<unknown> {
  const second = floor - (((floor % 1_000_000n) + 1_000_000n) % 1_000_000n);
  if (type === 'timestamptz') return sql`${sql.lit(instantText(second, true))}::timestamptz`;
  const wall =
    timezone === null
      ? // UTC-12: no wall clock on earth shows an earlier time.
        sql`${sql.lit(instantText(second - 12n * 3_600_000_000n, false))}::timestamp`
      : // An hour less: in autumn the same wall clock comes twice.
        sql`((${sql.lit(instantText(second, true))}::timestamptz at time zone ${sql.lit(timezone)}) - interval '1 hour')`;
  return type === 'date' ? sql`(${wall})::date` : wall;
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
