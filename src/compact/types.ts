/** DuckDB's types and Delta's. Pure. Invariant: a value that is written as one and read as the other is the same value. */

import { TidemarkError } from '../model/error.ts';
import type { DeltaType } from './delta/actions.ts';

const DELTA: Record<string, string> = {
  BOOLEAN: 'boolean',
  TINYINT: 'byte',
  SMALLINT: 'short',
  INTEGER: 'integer',
  BIGINT: 'long',
  FLOAT: 'float',
  DOUBLE: 'double',
  VARCHAR: 'string',
  BLOB: 'binary',
  DATE: 'date',
  'TIMESTAMP WITH TIME ZONE': 'timestamp',
};

const DUCK = Object.fromEntries(Object.entries(DELTA).map(([duck, delta]) => [delta, duck]));

/**
 * The Delta type of DuckDB's `BIGINT`, `DECIMAL(10,2)`, `VARCHAR[]` … A wall clock without a zone becomes `timestamp`, read as UTC, so that the
 * table stays one of protocol (1,2); `timestamp_ntz` with `ntz`. Throws STAGED_UNSUPPORTED.
 */
export function deltaTypeOf(duck: string, { ntz = false }: { ntz?: boolean } = {}): DeltaType {
  if (duck.endsWith('[]')) {
    return { type: 'array', elementType: deltaTypeOf(duck.slice(0, -2), { ntz }), containsNull: true };
  }
  const decimal = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(duck);
  if (decimal) return `decimal(${decimal[1]},${decimal[2]})`;
  if (duck === 'TIMESTAMP') return ntz ? 'timestamp_ntz' : 'timestamp';
  if (!Object.hasOwn(DELTA, duck)) throw unknownType(duck);
  return DELTA[duck];
}

/** DuckDB's type whose Parquet form is the Delta type's. Throws STAGED_UNSUPPORTED. */
export function duckTypeOf(type: DeltaType): string {
  if (typeof type !== 'string') return `${duckTypeOf(type.elementType)}[]`;
  const decimal = /^decimal\((\d+),(\d+)\)$/.exec(type);
  if (decimal) return `DECIMAL(${decimal[1]},${decimal[2]})`;
  if (type === 'timestamp_ntz') return 'TIMESTAMP';
  if (!Object.hasOwn(DUCK, type)) throw unknownType(type);
  return DUCK[type];
}

function unknownType(type: string): TidemarkError {
  return new TidemarkError('STAGED_UNSUPPORTED', `a column of type ${type} has no place in a staged table`);
}
