/**
 * The statistics of a data file in Delta's log (PROTOCOL.md, "Per-file Statistics"). Pure. Invariant: numbers travel as text, exactly;
 * no value of the file lies outside its bounds.
 */

import { ident } from '../../duckdb/literal.ts';
import type { DeltaColumn, DeltaType } from './actions.ts';
import { boundOf } from './bounds.ts';
import { parseNumbersAsText, withMembers } from './exact-json.ts';
import { safeBound } from './foreign-bounds.ts';

/** The map `column_statistics` of DuckDB's COPY … (RETURN_STATS): a quoted column, and its facts by name. */
export type ColumnStatistics = { key: string; value: { key: string; value: string }[] }[];

/** Of so many columns, as other writers do it: more would make the log large. */
const INDEXED_COLUMNS = 32;

export type StatisticsOptions = {
  /** Columns that have statistics wherever they stand: those of the key. */
  always?: readonly string[];
  /**
   * Columns of floats known to hold no NaN (noNan): only these have bounds. DuckDB 1.5.5 says `has_nan` of the last row group only, and a
   * NaN lies outside of any bounds.
   */
  noNan?: ReadonlySet<string>;
};

/**
 * The `stats` of an `add`, JSON text. `rows`: physical rows of the file; `found`: what DuckDB says of it, written in a connection whose zone is UTC.
 */
export function statisticsOf(
  columns: readonly DeltaColumn[],
  rows: number,
  found: ColumnStatistics,
  { always = [], noNan = new Set() }: StatisticsOptions = {},
): string {
  const facts = new Map(found.map(({ key, value }) => [key, new Map(value.map((fact) => [fact.key, fact.value]))]));
  const min: string[] = [];
  const max: string[] = [];
  const nullCount: string[] = [];
  for (const [i, { name, type }] of columns.entries()) {
    const column = facts.get(ident(name));
    if (!column || (i >= INDEXED_COLUMNS && !always.includes(name))) continue;
    const add = (to: string[], json: string | null) => {
      if (json !== null) to.push(`${JSON.stringify(name)}:${json}`);
    };
    add(nullCount, column.get('null_count') ?? null);
    if (isFloat(type) && !noNan.has(name)) continue;
    const [least, greatest] = [column.get('min'), column.get('max')];
    if (least !== undefined) add(min, boundOf(type, least, 'min'));
    if (greatest !== undefined) add(max, boundOf(type, greatest, 'max'));
  }
  return `{"numRecords":${rows},"minValues":{${min}},"maxValues":{${max}},"nullCount":{${nullCount}}}`;
}

export function isFloat(type: DeltaType): boolean {
  return type === 'float' || type === 'double';
}

/** `stats` for an `add` with a deletion vector: its bounds and null counts are those of rows that may be deleted. */
export function withVector(stats: string): string {
  return withMembers(stats, { tightBounds: false });
}

/** What a reader may know of a data file. Values as text: numbers with all their digits, dates and timestamps as in the log. */
export type Statistics = {
  /** Physical rows: those that a deletion vector deletes are among them. */
  rows: number;
  /** By the column's name. Every value that is not NULL lies at or above, but may well lie higher. */
  min: Map<string, string>;
  /** As `min`, from above. */
  max: Map<string, string>;
  nullCount: Map<string, number>;
  /** False: bounds and null counts are of rows that may be deleted. */
  tight: boolean;
};

/**
 * Reads an `add`'s stats, of any writer; null where there is nothing to rely on. Bounds of `columns` only, and by their types: other writers cut
 * timestamps and round decimals, and these bounds come out wider.
 */
export function parseStatistics(stats: string | null, columns: readonly DeltaColumn[]): Statistics | null {
  const parsed = parse(stats);
  const rows = Number(parsed?.numRecords ?? Number.NaN);
  if (!parsed || !Number.isSafeInteger(rows)) return null;
  const min = new Map<string, string>();
  const max = new Map<string, string>();
  const nullCount = new Map<string, number>();
  for (const { name, type } of columns) {
    const [least, greatest, nulls] = [parsed.minValues?.[name], parsed.maxValues?.[name], parsed.nullCount?.[name]];
    const lower = typeof least === 'string' ? safeBound(type, least, 'min') : null;
    const upper = typeof greatest === 'string' ? safeBound(type, greatest, 'max') : null;
    if (lower !== null) min.set(name, lower);
    if (upper !== null) max.set(name, upper);
    if (typeof nulls === 'string') nullCount.set(name, Number(nulls));
  }
  return { rows, min, max, nullCount, tight: parsed.tightBounds !== false };
}

type Parsed = {
  numRecords?: unknown;
  tightBounds?: unknown;
  minValues?: Record<string, unknown>;
  maxValues?: Record<string, unknown>;
  nullCount?: Record<string, unknown>;
};

/** Every number as its text. */
function parse(stats: string | null): Parsed | null {
  try {
    return parseNumbersAsText(stats ?? 'null') as Parsed | null;
  } catch {
    // Statistics are a hint: a file without them is looked into.
    return null;
  }
}
