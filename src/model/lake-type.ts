/** The lake's types, and what becomes of values that have no place in them. Every other table of types reads this one. */

/** What happens to a value with no place in the lake's type: stop, write NULL, or write it as text to `<column>__text`. */
export type Policy = 'fail' | 'null' | 'text';

export type ScalarType =
  | { kind: 'boolean' | 'short' | 'integer' | 'long' | 'float' | 'double' | 'string' | 'binary' | 'date' }
  /** Microseconds; `utc` false: a wall clock without a zone. */
  | { kind: 'timestamp'; utc: boolean }
  | { kind: 'decimal'; precision: number; scale: number };

export type LakeType = ScalarType | { kind: 'array'; element: ScalarType };
