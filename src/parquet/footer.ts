/** The file's metadata at its end. Invariant: what it says of a chunk's place is exact; readers find nothing otherwise. */

import type { EncodedChunk } from './column-encoder.ts';
import { PHYSICAL, writeSchema } from './footer-schema.ts';
import { ENCODING, PAGE } from './page-header.ts';
import type { EncodedRowGroup } from './row-group.ts';
import type { ParquetColumn } from './schema.ts';
import { ThriftWriter } from './thrift-writer.ts';

const CODEC = { none: 0, gzip: 2, zstd: 6 } as const;

/** A row group without its bytes, and where in the file they are. */
export type PlacedRowGroup = {
  rows: number;
  bytes: number;
  offset: number;
  chunks: Omit<EncodedChunk, 'parts'>[];
};

export type FileFacts = {
  columns: readonly ParquetColumn[];
  rows: number;
  groups: readonly PlacedRowGroup[];
  createdBy: string;
  metadata: Readonly<Record<string, string>>;
};

export function placed({ rows, bytes, chunks }: EncodedRowGroup, offset: number): PlacedRowGroup {
  return { rows, bytes, offset, chunks: chunks.map(({ parts: _, ...rest }) => rest) };
}

/** FileMetaData in Thrift's compact protocol, without its length and the magic. */
export function encodeFooter(file: FileFacts): Buffer {
  const writer = new ThriftWriter(4096 + file.columns.length * (64 + 160 * file.groups.length));
  writer.i32(1, 1);
  writeSchema(writer, file.columns);
  writer.i64(3, file.rows);
  writer.list(4, 'struct', file.groups.length);
  for (const [ordinal, group] of file.groups.entries()) writeGroup(writer, file.columns, group, ordinal);
  const metadata = Object.entries(file.metadata);
  if (metadata.length > 0) {
    writer.list(5, 'struct', metadata.length);
    for (const [key, value] of metadata) {
      writer.element();
      writer.string(1, key);
      writer.string(2, value);
      writer.end();
    }
  }
  writer.string(6, file.createdBy);
  writeOrders(writer, file.columns.length);
  writer.end();
  return writer.bytes();
}

/** Without the orders readers ignore min_value and max_value. */
function writeOrders(writer: ThriftWriter, columns: number): void {
  writer.list(7, 'struct', columns);
  for (let i = 0; i < columns; i++) {
    writer.element();
    writer.struct(1);
    writer.end();
    writer.end();
  }
}

function writeGroup(
  writer: ThriftWriter,
  columns: readonly ParquetColumn[],
  group: PlacedRowGroup,
  ordinal: number,
): void {
  writer.element();
  writer.list(1, 'struct', columns.length);
  let offset = group.offset;
  let uncompressed = 0;
  for (let i = 0; i < columns.length; i++) {
    writeChunk(writer, columns[i], group.chunks[i], offset);
    offset += group.chunks[i].compressed;
    uncompressed += group.chunks[i].uncompressed;
  }
  writer.i64(2, uncompressed);
  writer.i64(3, group.rows);
  writer.i64(5, group.offset);
  writer.i64(6, group.bytes);
  // The ordinal is a 16-bit number; it is optional, and wrong is worse than missing.
  if (ordinal < 32768) writer.i16(7, ordinal);
  writer.end();
}

function writeChunk(
  writer: ThriftWriter,
  column: ParquetColumn,
  chunk: Omit<EncodedChunk, 'parts'>,
  offset: number,
): void {
  const hasDictionary = chunk.dictionaryBytes > 0;
  writer.element();
  writer.i64(2, 0);
  writer.struct(3);
  writer.i32(1, PHYSICAL[column.type.physical]);
  const encodings = new Set([...(hasDictionary ? [ENCODING.plain] : []), ENCODING.rle, chunk.encoding]);
  writer.list(2, 'i32', encodings.size);
  for (const encoding of encodings) writer.integer(encoding);
  writer.list(3, 'binary', column.list ? 3 : 1);
  writer.text(column.name);
  if (column.list) {
    writer.text('list');
    writer.text('element');
  }
  writer.i32(4, CODEC[chunk.codec]);
  writer.i64(5, chunk.slots);
  writer.i64(6, chunk.uncompressed);
  writer.i64(7, chunk.compressed);
  writer.i64(9, offset + chunk.dictionaryBytes);
  if (hasDictionary) writer.i64(11, offset);
  writeStatistics(writer, column, chunk);
  writer.list(13, 'struct', hasDictionary ? 2 : 1);
  if (hasDictionary) writePageCount(writer, PAGE.dictionary, ENCODING.plain, 1);
  writePageCount(writer, PAGE.data, chunk.encoding, chunk.dataPages);
  writer.end();
  writer.end();
}

function writePageCount(writer: ThriftWriter, page: number, encoding: number, count: number): void {
  writer.element();
  writer.i32(1, page);
  writer.i32(2, encoding);
  writer.i32(3, count);
  writer.end();
}

function writeStatistics(writer: ThriftWriter, column: ParquetColumn, { stats }: Pick<EncodedChunk, 'stats'>): void {
  if (stats === null) return;
  const { min, max, nulls, minExact, maxExact } = stats;
  // The deprecated pair was ordered as signed bytes: right for numbers, wrong for strings and long decimals.
  const signed = column.type.physical !== 'bytes' && column.type.physical !== 'fixed';
  writer.struct(12);
  if (signed && max) writer.binary(1, max);
  if (signed && min) writer.binary(2, min);
  writer.i64(3, nulls);
  if (max) writer.binary(5, max);
  if (min) writer.binary(6, min);
  if (max) writer.boolean(7, maxExact);
  if (min) writer.boolean(8, minExact);
  writer.end();
}
