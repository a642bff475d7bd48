/** The lake's types as Parquet's. Pure; the only place that maps one to the other. */

import { ADDED_COLUMNS } from '../model/column-names.ts';
import type { LakeType, ScalarType } from '../model/lake-type.ts';
import type { ParquetColumn, ParquetType } from '../parquet/schema.ts';
import type { PlannedColumn } from './column-plan.ts';

/** The file's columns: the plan's, each followed by its shadow, then what tidemark adds. */
export function parquetColumns(columns: PlannedColumn[]): ParquetColumn[] {
  const result: ParquetColumn[] = [];
  for (const column of columns) {
    result.push(parquetColumn(column.name, column.lake));
    if (column.shadow) result.push(parquetColumn(column.shadow, { kind: 'string' }));
  }
  result.push(parquetColumn(ADDED_COLUMNS.run, { kind: 'long' }));
  result.push(parquetColumn(ADDED_COLUMNS.op, { kind: 'string' }));
  result.push(parquetColumn(ADDED_COLUMNS.at, { kind: 'timestamp', utc: true }));
  return result;
}

function parquetColumn(name: string, type: LakeType): ParquetColumn {
  if (type.kind === 'array') return { name, type: parquetType(type.element), list: true, stats: false };
  return { name, type: parquetType(type), list: false, stats: type.kind !== 'binary' };
}

function parquetType(type: ScalarType): ParquetType {
  switch (type.kind) {
    case 'boolean':
      return { physical: 'boolean', logical: { kind: 'none' } };
    case 'short':
      return { physical: 'int32', logical: { kind: 'int', bits: 16 } };
    case 'integer':
      return { physical: 'int32', logical: { kind: 'none' } };
    case 'long':
      return { physical: 'int64', logical: { kind: 'none' } };
    case 'float':
    case 'double':
      return { physical: type.kind, logical: { kind: 'none' } };
    case 'date':
      return { physical: 'int32', logical: { kind: 'date' } };
    case 'timestamp':
      return { physical: 'int64', logical: { kind: 'timestamp', utc: type.utc } };
    case 'string':
      return { physical: 'bytes', logical: { kind: 'string' } };
    case 'binary':
      return { physical: 'bytes', logical: { kind: 'none' } };
    case 'decimal': {
      const logical = { kind: 'decimal', precision: type.precision, scale: type.scale } as const;
      if (type.precision <= 9) return { physical: 'int32', logical };
      if (type.precision <= 18) return { physical: 'int64', logical };
      return { physical: 'fixed', width: 16, logical };
    }
  }
}
