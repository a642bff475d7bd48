/** The headers of pages. Invariant: DataPage V1, which every reader knows. */

import type { ThriftWriter } from './thrift-writer.ts';

export const ENCODING = { plain: 0, rle: 3, delta: 5, dictionary: 8 } as const;
export type Encoding = (typeof ENCODING)[keyof typeof ENCODING];

export const PAGE = { data: 0, dictionary: 2 } as const;

/** `slots` counts nulls too. Sizes are those of the body, without this header. */
export function dataPageHeader(
  writer: ThriftWriter,
  slots: number,
  encoding: Encoding,
  uncompressed: number,
  compressed: number,
): Buffer {
  writer.reset();
  writer.i32(1, PAGE.data);
  writer.i32(2, uncompressed);
  writer.i32(3, compressed);
  writer.struct(5);
  writer.i32(1, slots);
  writer.i32(2, encoding);
  writer.i32(3, ENCODING.rle);
  writer.i32(4, ENCODING.rle);
  writer.end();
  writer.end();
  return Buffer.from(writer.bytes());
}

export function dictionaryPageHeader(
  writer: ThriftWriter,
  entries: number,
  uncompressed: number,
  compressed: number,
): Buffer {
  writer.reset();
  writer.i32(1, PAGE.dictionary);
  writer.i32(2, uncompressed);
  writer.i32(3, compressed);
  writer.struct(7);
  writer.i32(1, entries);
  writer.i32(2, ENCODING.plain);
  writer.end();
  writer.end();
  return Buffer.from(writer.bytes());
}
