/** The Postgres type that a column is configured with, as far as the loader knows it. Pure. */

export type ColumnType =
  | { base: 'int2' | 'int4' | 'int8' | 'float4' | 'float8' | 'bool' | 'uuid' | 'json' | 'jsonb' | 'date' }
  | { base: 'timestamp' | 'timestamptz' }
  /** `digits` null: without bounds. */
  | { base: 'numeric'; digits: number | null; scale: number }
  /** `characters` null: without bounds. */
  | { base: 'text'; characters: number | null }
  | { base: 'array'; element: ColumnType }
  /** Enums, domains, extensions' types and the rest: handed on as text, the target decides. */
  | { base: 'other' };

const NAMES: Record<string, ColumnType> = {
  smallint: { base: 'int2' },
  int2: { base: 'int2' },
  integer: { base: 'int4' },
  int: { base: 'int4' },
  int4: { base: 'int4' },
  bigint: { base: 'int8' },
  int8: { base: 'int8' },
  real: { base: 'float4' },
  float4: { base: 'float4' },
  'double precision': { base: 'float8' },
  float: { base: 'float8' },
  float8: { base: 'float8' },
  boolean: { base: 'bool' },
  bool: { base: 'bool' },
  uuid: { base: 'uuid' },
  json: { base: 'json' },
  jsonb: { base: 'jsonb' },
  date: { base: 'date' },
  timestamptz: { base: 'timestamptz' },
  'timestamp with time zone': { base: 'timestamptz' },
  timestamp: { base: 'timestamp' },
  'timestamp without time zone': { base: 'timestamp' },
  text: { base: 'text', characters: null },
  citext: { base: 'text', characters: null },
  varchar: { base: 'text', characters: null },
  'character varying': { base: 'text', characters: null },
};

/** Reads `numeric(12, 2)`, `timestamp(3) with time zone`, `text[]`; a name it does not know is `other`. */
export function columnType(written: string): ColumnType {
  const type = written
    .trim()
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .replace(/^pg_catalog\./, '');
  const array = /^(.*?)(?: ?\[ ?\d* ?\]| array(?: ?\[ ?\d* ?\])?)$/.exec(type);
  if (array) {
    // However often it is written, Postgres knows one array type of an element.
    const element = columnType(array[1]);
    return element.base === 'array' ? element : { base: 'array', element };
  }
  const parts = /^([^(]*?) ?\( ?(-?\d+) ?(?:, ?(-?\d+) ?)?\) ?(.*)$/.exec(type);
  const name = parts ? [parts[1], parts[4]].filter(Boolean).join(' ') : type;
  const [first, second] = parts ? [Number(parts[2]), Number(parts[3] ?? 0)] : [null, 0];
  if (name === 'numeric' || name === 'decimal') return { base: 'numeric', digits: first, scale: second };
  if (name === 'char' || name === 'character' || name === 'bpchar') {
    return { base: 'text', characters: first ?? (name === 'bpchar' ? null : 1) };
  }
  if (name === 'float' && first !== null) return { base: first <= 24 ? 'float4' : 'float8' };
  const known = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
  if (known?.base === 'text' && first !== null) return { base: 'text', characters: first };
  return known ?? { base: 'other' };
}
