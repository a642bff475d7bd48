/** Parquet files from JavaScript values, for tests of the encoder and its readers. */

import { writeFile } from 'node:fs/promises';
import type { ColumnData } from '../../src/parquet/column-data.ts';
import { type Codec, Compressor } from '../../src/parquet/compressor.ts';
import { ParquetFile } from '../../src/parquet/file.ts';
import { RowGroupEncoder } from '../../src/parquet/row-group.ts';
import type { Logical, ParquetColumn, ParquetType } from '../../src/parquet/schema.ts';
import { type Text, textOf } from './parquet-text.ts';

/** Dates as days, timestamps as micros, decimals unscaled, strings as text. */
export type Value = boolean | number | bigint | string | Uint8Array;
export type Cell = Value | null | (Value | null)[];

const NONE: Logical = { kind: 'none' };

/** Every type that the encoder writes, by a short name. */
export const TYPES = {
  boolean: { physical: 'boolean', logical: NONE },
  short: { physical: 'int32', logical: { kind: 'int', bits: 16 } },
  integer: { physical: 'int32', logical: NONE },
  long: { physical: 'int64', logical: NONE },
  float: { physical: 'float', logical: NONE },
  double: { physical: 'double', logical: NONE },
  string: { physical: 'bytes', logical: { kind: 'string' } },
  binary: { physical: 'bytes', logical: NONE },
  date: { physical: 'int32', logical: { kind: 'date' } },
  instant: { physical: 'int64', logical: { kind: 'timestamp', utc: true } },
  local: { physical: 'int64', logical: { kind: 'timestamp', utc: false } },
  decimal9: { physical: 'int32', logical: { kind: 'decimal', precision: 9, scale: 2 } },
  decimal18: { physical: 'int64', logical: { kind: 'decimal', precision: 18, scale: 4 } },
  decimal38: { physical: 'fixed', width: 16, logical: { kind: 'decimal', precision: 38, scale: 10 } },
  decimal20: { physical: 'fixed', width: 9, logical: { kind: 'decimal', precision: 20, scale: 0 } },
} as const satisfies Record<string, ParquetType>;

export function column(
  name: string,
  type: ParquetType,
  options: { list?: boolean; stats?: boolean } = {},
): ParquetColumn {
  return { name, type, list: options.list ?? false, stats: options.stats ?? true };
}

/** What the readers of parquet-readers.ts should give for a cell. */
export function cellText({ type }: ParquetColumn, cell: Cell): Text {
  if (cell === null) return null;
  if (Array.isArray(cell)) return JSON.stringify(cell.map((item) => cellText(column('', type), item)));
  if (typeof cell === 'string') return cell;
  return textOf(type, type.physical === 'float' ? Math.fround(cell as number) : cell);
}

/** One column of a row group. */
export function columnData({ type, list }: ParquetColumn, cells: readonly Cell[]): ColumnData {
  if (!list) {
    const present = cells.filter((cell) => cell !== null) as Value[];
    const validity = present.length === cells.length ? null : Uint8Array.from(cells, (c) => (c === null ? 0 : 1));
    return { values: plain(type, present), count: present.length, validity };
  }
  const repetition: number[] = [];
  const definition: number[] = [];
  const values: Value[] = [];
  for (const cell of cells as ((Value | null)[] | null)[]) {
    if (cell === null || cell.length === 0) {
      repetition.push(0);
      definition.push(cell === null ? 0 : 1);
      continue;
    }
    for (const [i, item] of cell.entries()) {
      repetition.push(i === 0 ? 0 : 1);
      definition.push(item === null ? 2 : 3);
      if (item !== null) values.push(item);
    }
  }
  return {
    values: plain(type, values),
    count: values.length,
    validity: null,
    levels: {
      repetition: Uint8Array.from(repetition),
      definition: Uint8Array.from(definition),
      slots: repetition.length,
    },
  };
}

/** The PLAIN bytes of values, as the encoder takes them. */
export function plain(type: ParquetType, values: readonly Value[]): Buffer {
  return Buffer.concat(values.map((value) => plainValue(type, value)));
}

function plainValue(type: ParquetType, value: Value): Buffer {
  const bytes = Buffer.alloc(8);
  switch (type.physical) {
    case 'boolean':
      return Buffer.of(value ? 1 : 0);
    case 'int32':
      bytes.writeInt32LE(Number(value));
      return bytes.subarray(0, 4);
    case 'int64':
      bytes.writeBigInt64LE(BigInt(value as bigint));
      return bytes;
    case 'float':
      bytes.writeFloatLE(value as number);
      return bytes.subarray(0, 4);
    case 'double':
      bytes.writeDoubleLE(value as number);
      return bytes;
    case 'fixed': {
      const bits = BigInt.asUintN(8 * type.width!, value as bigint);
      return Buffer.from(bits.toString(16).padStart(2 * type.width!, '0'), 'hex');
    }
    case 'bytes': {
      const content = typeof value === 'string' ? Buffer.from(value) : (value as Uint8Array);
      bytes.writeUInt32LE(content.length);
      return Buffer.concat([bytes.subarray(0, 4), content]);
    }
  }
}

export type WriteOptions = {
  codec?: Codec;
  level?: number;
  rowsPerGroup?: number;
  pageBytes?: number;
  plainOnly?: boolean;
  metadata?: Record<string, string>;
};

/** Writes rows by column in groups of `rowsPerGroup` and returns the file's object, for its bounds and counts. */
export async function writeParquet(
  path: string,
  columns: readonly ParquetColumn[],
  cells: Readonly<Record<string, readonly Cell[]>>,
  { rowsPerGroup = 1 << 20, ...options }: WriteOptions = {},
): Promise<ParquetFile> {
  const rows = cells[columns[0].name].length;
  const groups: ColumnData[][] = [];
  for (let from = 0; from < rows; from += rowsPerGroup) {
    groups.push(columns.map((c) => columnData(c, cells[c.name].slice(from, from + rowsPerGroup))));
  }
  const sizes = groups.map((_, i) => Math.min(rowsPerGroup, rows - i * rowsPerGroup));
  return writeGroups(path, columns, sizes, groups, options);
}

/** The same from the encoder's own input; two groups are under way at a time. */
export async function writeGroups(
  path: string,
  columns: readonly ParquetColumn[],
  sizes: readonly number[],
  groups: readonly ColumnData[][],
  { codec, level, metadata, ...options }: WriteOptions = {},
): Promise<ParquetFile> {
  const encoder = new RowGroupEncoder(columns, new Compressor(codec, level), options);
  const file = new ParquetFile(columns, { createdBy: 'tidemark version 0.0.0 (build 0)', metadata });
  const parts = [file.start()];
  for (let i = 0; i < groups.length; i += 2) {
    const pair = groups.slice(i, i + 2).map((group, j) => encoder.encode(sizes[i + j], group));
    for (const group of pair) parts.push(...file.append(await group));
  }
  parts.push(file.finish());
  await writeFile(path, parts);
  return file;
}
