/**
 * SQL expressions that print values. Invariant: nothing is rounded, and what is printed says which value it was: NULL and empty text,
 * NaN and text differ. Pure.
 */

import {
  type DuckDBArrayType,
  type DuckDBDecimalType,
  type DuckDBListType,
  type DuckDBMapType,
  type DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId as Id,
} from '@duckdb/node-api';
import { ident, text } from '../duckdb/literal.ts';

const SAFE = 2n ** 53n - 1n;
/** So many decimal digits come through a double unchanged. */
const DOUBLE_DIGITS = 15;

const SMALL = new Set([Id.TINYINT, Id.SMALLINT, Id.INTEGER, Id.UTINYINT, Id.USMALLINT, Id.UINTEGER]);
const LARGE = new Set([Id.BIGINT, Id.UBIGINT, Id.HUGEINT, Id.UHUGEINT, Id.BIGNUM]);
const FLOATS = new Set([Id.FLOAT, Id.DOUBLE]);
const CLOCKS = new Set([Id.TIMESTAMP, Id.TIMESTAMP_S, Id.TIMESTAMP_MS, Id.TIMESTAMP_NS]);
const NESTED = new Set([Id.LIST, Id.ARRAY, Id.STRUCT, Id.MAP, Id.UNION]);

export function isNumber({ typeId }: DuckDBType): boolean {
  return SMALL.has(typeId) || LARGE.has(typeId) || FLOATS.has(typeId) || typeId === Id.DECIMAL;
}

/** Whether plainText() can hold a comma, a quote or a line's end. */
export function isPlain(type: DuckDBType): boolean {
  return (
    isNumber(type) ||
    [Id.BOOLEAN, Id.DATE, Id.UUID, Id.BLOB, Id.TIMESTAMP_TZ].includes(type.typeId) ||
    CLOCKS.has(type.typeId)
  );
}

/** For people and CSV: as Postgres prints it, nested values as JSON. NULL stays NULL. */
export function plainText(type: DuckDBType, value: string): string {
  if (type.typeId === Id.BLOB) return `('\\x' || lower(hex(${value})))`;
  if (NESTED.has(type.typeId)) return jsonText(type, value);
  return `CAST(${value} AS VARCHAR)`;
}

/**
 * JSON text; SQL's NULL stays NULL. Integers are numbers up to 2^53 and text beyond, decimals numbers when 15 digits are all that
 * their type holds and text otherwise, instants ISO 8601 in UTC with microseconds, bytes `\x` and hexadecimal.
 */
export function jsonText(type: DuckDBType, value: string, depth = 0): string {
  const { typeId } = type;
  if (SMALL.has(typeId)) return `CAST(${value} AS VARCHAR)`;
  if (LARGE.has(typeId)) {
    return `CASE WHEN ${value} BETWEEN -${SAFE} AND ${SAFE} THEN CAST(${value} AS VARCHAR) WHEN ${value} IS NOT NULL THEN '"' || CAST(${value} AS VARCHAR) || '"' END`;
  }
  if (FLOATS.has(typeId)) return floatText(value);
  if (typeId === Id.DECIMAL) {
    const number = `CAST(${value} AS VARCHAR)`;
    return (type as DuckDBDecimalType).width <= DOUBLE_DIGITS ? number : `('"' || ${number} || '"')`;
  }
  if (typeId === Id.BOOLEAN) return `CAST(${value} AS VARCHAR)`;
  if (typeId === Id.TIMESTAMP_TZ) return instantText(`timezone('UTC', ${value})`, value, 'Z');
  if (CLOCKS.has(typeId)) return instantText(`CAST(${value} AS TIMESTAMP)`, value, '');
  if (NESTED.has(typeId)) return nestedText(type, value, depth);
  if (type.alias === 'JSON') return `CAST(${value} AS VARCHAR)`;
  return `CAST(to_json(${plainText(type, value)}) AS VARCHAR)`;
}

function floatText(value: string): string {
  return `CASE WHEN isfinite(${value}) THEN CAST(${value} AS VARCHAR) WHEN isnan(${value}) THEN '"NaN"' WHEN ${value} > 0 THEN '"Infinity"' WHEN ${value} < 0 THEN '"-Infinity"' END`;
}

/** Where ISO 8601 has four digits for the year; others as DuckDB prints them. */
function instantText(clock: string, value: string, zone: string): string {
  const iso = `CASE WHEN ${clock} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999' THEN strftime(${clock}, '%Y-%m-%dT%H:%M:%S.%f${zone}') ELSE CAST(${value} AS VARCHAR) END`;
  return `('"' || ${iso} || '"')`;
}

function nestedText(type: DuckDBType, value: string, depth: number): string {
  const orNull = (json: string) => `coalesce(${json}, 'null')`;
  const each = `x${depth}`;
  switch (type.typeId) {
    case Id.LIST:
    case Id.ARRAY: {
      const element = (type as DuckDBListType | DuckDBArrayType).valueType;
      const items = `list_transform(${value}, ${each} -> ${orNull(jsonText(element, each, depth + 1))})`;
      return `('[' || array_to_string(${items}, ',') || ']')`;
    }
    case Id.MAP: {
      const { keyType, valueType } = type as DuckDBMapType;
      const key = `CAST(to_json(coalesce(${plainText(keyType, `${each}.key`)}, 'null')) AS VARCHAR)`;
      const item = `${key} || ':' || ${orNull(jsonText(valueType, `${each}.value`, depth + 1))}`;
      return `('{' || array_to_string(list_transform(map_entries(${value}), ${each} -> ${item}), ',') || '}')`;
    }
    case Id.STRUCT: {
      const { entryNames, entryTypes } = type as DuckDBStructType;
      // A row without names, as row(1, 2) makes, has none to print.
      if (entryNames.some((name) => name === '')) return `CAST(to_json(${value}) AS VARCHAR)`;
      const members = entryNames.map((name, i) => {
        const json = jsonText(entryTypes[i], `(${value}).${ident(name)}`, depth + 1);
        return `${text(`${JSON.stringify(name)}:`)} || ${orNull(json)}`;
      });
      return `CASE WHEN ${value} IS NOT NULL THEN '{' || ${members.join(` || ',' || `)} || '}' END`;
    }
    default:
      return `CAST(to_json(${value}) AS VARCHAR)`;
  }
}

/** As a column of a Parquet file: integers of 128 bits would become doubles there. */
export function parquetValue({ typeId }: DuckDBType, value: string): string {
  return typeId === Id.HUGEINT || typeId === Id.UHUGEINT ? `CAST(${value} AS DECIMAL(38, 0))` : value;
}
