/** Reads a Parquet file with each reader at hand, as text by column. Invariant: what a reader would round or cut is read raw and spelled here. */

import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBInstance,
  DuckDBListValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import { asyncBufferFromFile, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { Logical, ParquetType } from '../../src/parquet/schema.ts';
import {
  dateText,
  decimalText,
  numberText,
  type Text,
  type TextColumns,
  textOf,
  timestampText,
} from './parquet-text.ts';
import { runPython } from './python.ts';

/** Reads the bare physical values, since hyparquet makes doubles of decimals and Dates of timestamps. */
export async function readWithHyparquet(path: string): Promise<TextColumns> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const columns = columnsOf(metadata);
  for (const element of metadata.schema) {
    if (element.converted_type !== 'LIST') element.converted_type = undefined;
    if (element.logical_type?.type !== 'LIST') element.logical_type = undefined;
  }
  const rows = await parquetReadObjects({ file, metadata, compressors, utf8: false });
  const text = (type: ParquetType, value: unknown): Text =>
    value === null || value === undefined ? null : textOf(type, value as never);
  return Object.fromEntries(
    columns.map(({ name, list, type }) => [
      name,
      rows.map((row) => {
        const value: unknown = row[name];
        return list && Array.isArray(value) ? JSON.stringify(value.map((v) => text(type, v))) : text(type, value);
      }),
    ]),
  );
}

export async function readWithDuckdb(path: string): Promise<TextColumns> {
  return queryDuckdb(`select * from read_parquet('${path.replaceAll("'", "''")}')`);
}

/** Any query of DuckDB's, its values spelled as in `readWithDuckdb`. */
export async function queryDuckdb(sql: string): Promise<TextColumns> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const result = await connection.runAndReadAll(sql);
    const columns = result.getColumns();
    // Without rows there are no columns of values either.
    return Object.fromEntries(result.columnNames().map((name, i) => [name, (columns[i] ?? []).map(duckdbText)]));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function duckdbText(value: DuckDBValue): Text {
  if (value === null) return null;
  if (value instanceof DuckDBDecimalValue) return decimalText(value.value, value.scale);
  if (value instanceof DuckDBTimestampTZValue) return `${timestampText(value.micros)}Z`;
  if (value instanceof DuckDBTimestampValue) return timestampText(value.micros);
  if (value instanceof DuckDBDateValue) return dateText(value.days);
  if (value instanceof DuckDBBlobValue) return `\\x${Buffer.from(value.bytes).toString('hex')}`;
  if (value instanceof DuckDBListValue) return JSON.stringify(value.items.map(duckdbText));
  return typeof value === 'number' ? numberText(value) : String(value);
}

/**
 * Without zstd, decimals, dictionaries and deltas; timestamps come back cut to milliseconds. `only`: the columns to read where others
 * are not of that kind; by default all.
 */
export async function readWithParquetjs(path: string, only?: string[]): Promise<TextColumns> {
  // @ts-expect-error It has no types.
  const { ParquetReader } = (await import('parquetjs-lite')) as { ParquetReader: ParquetjsReader };
  const metadata = await parquetMetadataAsync(await asyncBufferFromFile(path));
  const columns = columnsOf(metadata).filter(({ name }) => only?.includes(name) ?? true);
  const reader = await ParquetReader.openFile(path);
  const result: TextColumns = Object.fromEntries(columns.map(({ name }) => [name, []]));
  try {
    const cursor = reader.getCursor(only);
    for (let row = await cursor.next(); row; row = await cursor.next()) {
      for (const { name, list, type } of columns) {
        const value = row[name];
        const items = (value as { list?: { element?: unknown }[] } | undefined)?.list;
        if (list && value) result[name].push(JSON.stringify((items ?? []).map((i) => parquetjsText(type, i.element))));
        else result[name].push(parquetjsText(type, value));
      }
    }
  } finally {
    await reader.close();
  }
  return result;
}

type ParquetjsReader = {
  openFile(path: string): Promise<{
    getCursor(columns?: string[]): { next(): Promise<Record<string, unknown> | null> };
    close(): Promise<void>;
  }>;
};

function parquetjsText(type: ParquetType, value: unknown): Text {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) {
    const text = value.toISOString();
    if (type.logical.kind === 'date') return text.slice(0, 10);
    return text.replace('Z', `000${type.logical.kind === 'timestamp' && type.logical.utc ? 'Z' : ''}`);
  }
  return typeof value === 'string' ? value : textOf(type, value as never);
}

export async function readWithPyarrow(path: string): Promise<TextColumns> {
  const columns = (await runPython(PYARROW, { path })) as { name: string; kind: string; values: unknown[] }[];
  return Object.fromEntries(columns.map(({ name, kind, values }) => [name, values.map((v) => pyarrowText(kind, v))]));
}

function pyarrowText(kind: string, value: unknown): Text {
  if (value === null) return null;
  if (Array.isArray(value)) return JSON.stringify(value.map((v) => pyarrowText(kind, v)));
  const text = String(value);
  if (kind === 'float') return numberText(Buffer.from(text, 'hex').readDoubleBE());
  if (kind === 'date') return dateText(Number(text));
  if (kind === 'timestamp') return timestampText(BigInt(text));
  return kind === 'timestamptz' ? `${timestampText(BigInt(text))}Z` : text;
}

/** Sends what JSON would lose, floats and 64-bit integers, as text. */
const PYARROW = `
import json, struct, sys
import pyarrow as pa, pyarrow.parquet as pq
def spell(t, v):
    if v is None: return None
    if isinstance(v, list): return [spell(t.value_type, x) for x in v]
    if pa.types.is_boolean(t): return 'true' if v else 'false'
    if pa.types.is_floating(t): return struct.pack('>d', v).hex()
    if pa.types.is_decimal(t): return format(v, 'f')
    if pa.types.is_binary(t) or pa.types.is_fixed_size_binary(t): return '\\\\x' + v.hex()
    return str(v)
def plain(t):
    if pa.types.is_list(t): return pa.list_(plain(t.value_type))
    if pa.types.is_timestamp(t): return pa.int64()
    if pa.types.is_date32(t): return pa.int32()
    return t
def kind(t):
    if pa.types.is_list(t): return kind(t.value_type)
    if pa.types.is_timestamp(t): return 'timestamptz' if t.tz else 'timestamp'
    if pa.types.is_date32(t): return 'date'
    return 'float' if pa.types.is_floating(t) else 'other'
table = pq.ParquetFile(json.load(sys.stdin)['path']).read()
out = []
for field, column in zip(table.schema, table.columns):
    bare = column.cast(plain(field.type))
    out.append({'name': field.name, 'kind': kind(field.type), 'values': [spell(bare.type, v) for v in bare.to_pylist()]})
json.dump(out, sys.stdout)
`;

type ReadColumn = { name: string; list: boolean; type: ParquetType };

/** The columns as the file's own schema has them: flat ones, and lists of three levels. */
function columnsOf({ schema }: FileMetaData): ReadColumn[] {
  const columns: ReadColumn[] = [];
  for (let i = 1; i < schema.length; i++) {
    const { name } = schema[i];
    const list = schema[i].num_children !== undefined;
    if (list) i += 2;
    columns.push({ name, list, type: typeOf(schema[i]) });
  }
  return columns;
}

function typeOf(element: FileMetaData['schema'][number]): ParquetType {
  const physical =
    element.type === 'BYTE_ARRAY' ? 'bytes' : element.type === 'FIXED_LEN_BYTE_ARRAY' ? 'fixed' : 'int64';
  return { physical, width: element.type_length, logical: logicalOf(element) };
}

function logicalOf({ logical_type: logical, precision, scale }: FileMetaData['schema'][number]): Logical {
  switch (logical?.type) {
    case 'STRING':
      return { kind: 'string' };
    case 'DATE':
      return { kind: 'date' };
    case 'TIMESTAMP':
      return { kind: 'timestamp', utc: logical.isAdjustedToUTC };
    case 'DECIMAL':
      return { kind: 'decimal', precision: precision!, scale: scale! };
    default:
      return { kind: 'none' };
  }
}
