/** What a Parquet file's columns are. Invariant: flat, all optional, or one LIST of optional elements; nothing deeper. */

export type Logical =
  | { kind: 'none' }
  | { kind: 'string' }
  | { kind: 'date' }
  /** Microseconds since 1970-01-01; `utc` false: a wall clock without a zone. */
  | { kind: 'timestamp'; utc: boolean }
  | { kind: 'decimal'; precision: number; scale: number }
  /** A signed 16-bit number kept in an int32. */
  | { kind: 'int'; bits: 16 };

export type ParquetType = {
  physical: 'boolean' | 'int32' | 'int64' | 'float' | 'double' | 'bytes' | 'fixed';
  /** Bytes of a value, for 'fixed' only. */
  width?: number;
  logical: Logical;
};

export type ParquetColumn = {
  name: string;
  type: ParquetType;
  /** LIST of nullable elements of `type`, written as the three levels `name.list.element`. */
  list: boolean;
  /** Whether min, max and the null count go into the footer. */
  stats: boolean;
};

/** Bytes of a PLAIN value as a column's buffer holds it (a boolean takes one byte there); 0: of any length. */
export function plainWidth(type: ParquetType): number {
  switch (type.physical) {
    case 'boolean':
      return 1;
    case 'int32':
    case 'float':
      return 4;
    case 'int64':
    case 'double':
      return 8;
    case 'fixed':
      return type.width!;
    case 'bytes':
      return 0;
  }
}
