/**
 * What each Postgres type becomes: how the query selects it, what its bytes are on the wire, its type in the lake.
 * The one table of types; docs/types.md tells the reasons. Types are known by OID: a domain may be called anything.
 */

import { TidemarkError } from './error.ts';
import type { LakeType, ScalarType } from './lake-type.ts';

/** The form of a field in the binary COPY. */
export type Wire =
  | 'bool'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'uint4'
  | 'float4'
  | 'float8'
  | 'numeric'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'time'
  | 'timetz'
  | 'uuid'
  | 'bytea'
  | 'text'
  | 'jsonb'
  /** JSON, or, where JSON would lose something, `!` and the text of the type's output function. */
  | 'marked-json'
  | { array: Wire };

/** How the query selects a column. `output` is the text of the type's output function: a cast to text drops a char(n)'s padding. */
export type Selection =
  | 'plain'
  | 'output'
  | 'numeric'
  /** xid8 has no cast to numeric but by way of text. */
  | 'numeric-text'
  | 'json'
  | 'composite-json'
  | ArraySelection
  | 'range-json'
  | 'multirange-json';

/** By what its elements are, for JSON loses something else of each. */
type ArraySelection = 'array-json' | 'json-array-json' | 'jsonb-array-json' | 'composite-array-json';

export type ColumnType = { selection: Selection; wire: Wire; lake: LakeType };

/** A type with its domains taken off. `typmod` is Postgres's, -1 when there is none. */
export type PgType = {
  oid: number;
  typmod: number;
  /** As Postgres prints it, for people. */
  name: string;
  kind: 'base' | 'enum' | 'composite' | 'range' | 'multirange';
  extension: string | null;
  /** Of a true array. */
  element: PgType | null;
};

const scalar = (kind: Exclude<ScalarType['kind'], 'timestamp' | 'decimal'>): ScalarType => ({ kind });
const STRING = scalar('string');
const plain = (wire: Wire, lake: LakeType): ColumnType => ({ selection: 'plain', wire, lake });

/** Built-in types by OID (pg_type.dat); what is not here is text by its output function. */
const BUILT_IN: Record<number, ColumnType> = {
  16: plain('bool', scalar('boolean')),
  17: plain('bytea', scalar('binary')),
  19: plain('text', STRING), // name
  20: plain('int8', scalar('long')),
  21: plain('int2', scalar('short')),
  23: plain('int4', scalar('integer')),
  25: plain('text', STRING),
  26: plain('uint4', scalar('long')), // oid
  28: plain('uint4', scalar('long')), // xid
  29: plain('uint4', scalar('long')), // cid
  114: plain('text', STRING), // json
  700: plain('float4', scalar('float')),
  701: plain('float8', scalar('double')),
  1042: plain('text', STRING), // bpchar
  1043: plain('text', STRING), // varchar
  1082: plain('date', scalar('date')),
  1083: plain('time', STRING),
  1114: plain('timestamp', { kind: 'timestamp', utc: false }),
  1184: plain('timestamptz', { kind: 'timestamp', utc: true }),
  1266: plain('timetz', STRING),
  2950: plain('uuid', STRING),
  3802: plain('jsonb', STRING),
  5069: { selection: 'numeric-text', wire: 'numeric', lake: { kind: 'decimal', precision: 20, scale: 0 } }, // xid8
};
const NUMERIC = 1700;
const MONEY = 790;
const JSON_TYPES: Record<number, 'json' | 'jsonb'> = { 114: 'json', 3802: 'jsonb' };
const OUTPUT: ColumnType = { selection: 'output', wire: 'text', lake: STRING };

/** Precision and scale of a numeric's typmod (numeric_typmod_precision and _scale in numeric.c); null when unbounded. */
function numericBounds(typmod: number): { precision: number; scale: number } | null {
  if (typmod < 4) return null;
  const precision = ((typmod - 4) >> 16) & 0xffff;
  const scale = ((((typmod - 4) & 0x7ff) ^ 1024) - 1024) | 0;
  // Parquet knows neither a negative scale nor one beyond the precision.
  if (scale < 0) return { precision: precision - scale, scale: 0 };
  return { precision: Math.max(precision, scale), scale };
}

/** The lake's type when the configuration says nothing. `moneyScale`: the decimal places of lc_monetary. */
export function defaultColumnType(type: PgType, moneyScale: number): ColumnType {
  if (type.element) return arrayType(type.element);
  if (type.kind === 'enum') return plain('text', STRING);
  if (type.kind === 'composite') return { selection: 'composite-json', wire: 'marked-json', lake: STRING };
  if (type.extension === 'hstore') return { selection: 'json', wire: 'text', lake: STRING };
  if (type.kind === 'range') return { selection: 'range-json', wire: 'text', lake: STRING };
  if (type.kind === 'multirange') return { selection: 'multirange-json', wire: 'text', lake: STRING };
  if (type.oid === MONEY) {
    return { selection: 'numeric', wire: 'numeric', lake: { kind: 'decimal', precision: 19, scale: moneyScale } };
  }
  if (type.oid === NUMERIC) {
    const bounds = numericBounds(type.typmod);
    return bounds && bounds.precision <= 38 ? plain('numeric', { kind: 'decimal', ...bounds }) : OUTPUT;
  }
  return BUILT_IN[type.oid] ?? OUTPUT;
}

function arrayType(element: PgType): ColumnType {
  // A domain over arrays as element: JSON makes one array of both, and knows no bounds of the inner one.
  if (element.element) return OUTPUT;
  const of = element.kind === 'composite' ? 'composite' : JSON_TYPES[element.oid];
  const selection: ArraySelection = of ? `${of}-array-json` : 'array-json';
  return { selection, wire: 'marked-json', lake: STRING };
}

/** Types from which a pinned one can be read exactly, value by value. */
const WIDENS: Record<string, Wire[]> = {
  integer: ['int2', 'int4'],
  long: ['int2', 'int4', 'int8', 'uint4'],
  double: ['float4', 'float8'],
};

/**
 * The type of a column that the configuration pins: `string`, `integer`, `long`, `double`, `decimal(p,s)` or `array`.
 * Throws CONFIG_INVALID when the column cannot be read as that.
 */
export function pinnedColumnType(type: PgType, pinned: string, moneyScale: number): ColumnType {
  const natural = defaultColumnType(type, moneyScale);
  const text = pinned.replaceAll(/\s/g, '').toLowerCase();
  if (text === typeName(natural.lake)) return natural;
  if (text === 'string') return OUTPUT;
  const decimal = /^decimal\((\d+),(\d+)\)$/.exec(text);
  if (decimal) {
    const [precision, scale] = [Number(decimal[1]), Number(decimal[2])];
    const exact = type.oid === NUMERIC || ['int2', 'int4', 'int8', 'numeric'].includes(natural.wire as string);
    if (precision < 1 || precision > 38 || scale > precision || !exact) throw cannotPin(type, pinned);
    const lake: LakeType = { kind: 'decimal', precision, scale };
    if (type.oid === NUMERIC) return plain('numeric', lake);
    return { selection: natural.wire === 'numeric' ? natural.selection : 'numeric', wire: 'numeric', lake };
  }
  if (WIDENS[text]?.includes(natural.wire as Wire)) return { ...natural, lake: scalar(text as 'long') };
  if (text === 'array' && type.element) {
    const element = defaultColumnType(type.element, moneyScale);
    if (element.selection !== 'plain' || element.lake.kind === 'array') throw cannotPin(type, pinned);
    return plain({ array: element.wire }, { kind: 'array', element: element.lake });
  }
  throw cannotPin(type, pinned);
}

function cannotPin(type: PgType, pinned: string): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', `a column of type ${type.name} cannot be pinned to ${pinned}`, {
    hint: 'every column can be `string`; integers `integer`, `long`, `decimal(p,s)`; numeric `decimal(p,s)` up to 38 digits; float4 `double`; arrays of plain types `array`',
  });
}

/** As Delta and the configuration write it: `long`, `decimal(10,2)`, `array<string>`. */
export function typeName(type: LakeType): string {
  if (type.kind === 'array') return `array<${typeName(type.element)}>`;
  if (type.kind === 'decimal') return `decimal(${type.precision},${type.scale})`;
  if (type.kind === 'timestamp') return type.utc ? 'timestamp' : 'timestamp_ntz';
  return type.kind;
}

const WIDER: Record<string, string[]> = { short: ['integer', 'long'], integer: ['long'], float: ['double'] };

/** Whether readers by name can go on over files with `before` when new ones have `after`. */
export function canFollow(before: LakeType, after: LakeType): boolean {
  if (typeName(before) === typeName(after)) return true;
  if (before.kind === 'decimal' && after.kind === 'decimal') {
    return before.scale === after.scale && after.precision >= before.precision;
  }
  return WIDER[before.kind]?.includes(after.kind) ?? false;
}
