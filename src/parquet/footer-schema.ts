/** The schema in a file's metadata. Invariant: each type has its logical annotation and, for old readers, the converted one. */

import type { Logical, ParquetColumn, ParquetType } from './schema.ts';
import type { ThriftWriter } from './thrift-writer.ts';

export const PHYSICAL = { boolean: 0, int32: 1, int64: 2, float: 4, double: 5, bytes: 6, fixed: 7 } as const;
const CONVERTED = { utf8: 0, list: 3, decimal: 5, date: 6, timestampMicros: 10, int16: 16 } as const;
const OPTIONAL = 1;
const REPEATED = 2;

/** The `schema` field of FileMetaData: a root, then the columns, a LIST as three elements. */
export function writeSchema(writer: ThriftWriter, columns: readonly ParquetColumn[]): void {
  const elements = columns.reduce((sum, column) => sum + (column.list ? 3 : 1), 1);
  writer.list(2, 'struct', elements);
  writer.element();
  writer.string(4, 'schema');
  writer.i32(5, columns.length);
  writer.end();
  for (const { name, type, list } of columns) {
    if (!list) {
      writeLeaf(writer, name, type);
      continue;
    }
    writer.element();
    writer.i32(3, OPTIONAL);
    writer.string(4, name);
    writer.i32(5, 1);
    writer.i32(6, CONVERTED.list);
    writer.struct(10);
    writer.struct(3);
    writer.end();
    writer.end();
    writer.end();
    writer.element();
    writer.i32(3, REPEATED);
    writer.string(4, 'list');
    writer.i32(5, 1);
    writer.end();
    writeLeaf(writer, 'element', type);
  }
}

function writeLeaf(writer: ThriftWriter, name: string, type: ParquetType): void {
  writer.element();
  writer.i32(1, PHYSICAL[type.physical]);
  if (type.physical === 'fixed') writer.i32(2, type.width!);
  writer.i32(3, OPTIONAL);
  writer.string(4, name);
  writeLogical(writer, type.logical);
  writer.end();
}

/** Both annotations: the old one for readers that know no other. */
function writeLogical(writer: ThriftWriter, logical: Logical): void {
  switch (logical.kind) {
    case 'none':
      return;
    case 'string':
      writer.i32(6, CONVERTED.utf8);
      writeUnion(writer, 1);
      return;
    case 'date':
      writer.i32(6, CONVERTED.date);
      writeUnion(writer, 6);
      return;
    case 'decimal':
      writer.i32(6, CONVERTED.decimal);
      writer.i32(7, logical.scale);
      writer.i32(8, logical.precision);
      writeUnion(writer, 5, () => {
        writer.i32(1, logical.scale);
        writer.i32(2, logical.precision);
      });
      return;
    case 'timestamp':
      // The old annotation means UTC, but the specification wants it on local timestamps too.
      writer.i32(6, CONVERTED.timestampMicros);
      writeUnion(writer, 8, () => {
        writer.boolean(1, logical.utc);
        writer.struct(2);
        writer.struct(2);
        writer.end();
        writer.end();
      });
      return;
    case 'int':
      writer.i32(6, CONVERTED.int16);
      writeUnion(writer, 10, () => {
        writer.byte(1, logical.bits);
        writer.boolean(2, true);
      });
      return;
  }
}

function writeUnion(writer: ThriftWriter, member: number, fields?: () => void): void {
  writer.struct(10);
  writer.struct(member);
  fields?.();
  writer.end();
  writer.end();
}
