/**
 * Deletion vectors: which rows of a data file are deleted (PROTOCOL.md, "Deletion Vectors" and "Deletion Vector Format"). Invariant: what
 * is decoded is what the log counts and the checksum confirms; a damaged vector is an error, not a row more or less.
 */

import { crc32 } from 'node:zlib';
import { TidemarkError } from '../../model/error.ts';
import type { DeletionVectorRef } from './actions.ts';
import { decodeBase85, encodeBase85 } from './base85.ts';
import { decodeRoaring, encodeRoaring } from './roaring.ts';

const FILE_VERSION = 1;
const MAGIC = 1681511377;
const BUCKET = 2 ** 32;
const UUID_CHARACTERS = 20;

/**
 * One file with a vector for each of `positions` (row numbers within a data file, from 0, ascending, each once), and what the log says of each.
 * The file belongs at vectorPath() of any of them. `uuid`: of a new file.
 */
export function encodeVectors(
  positions: Iterable<number>[],
  uuid: string,
): { file: Buffer; refs: DeletionVectorRef[] } {
  const pathOrInlineDv = encodeBase85(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
  const parts: Buffer[] = [Buffer.from([FILE_VERSION])];
  let offset = 1;
  const refs = positions.map((rows): DeletionVectorRef => {
    const { data, count } = encodeRows(rows);
    const ref = { storageType: 'u' as const, pathOrInlineDv, offset, sizeInBytes: data.length, cardinality: count };
    const framed = Buffer.alloc(4 + data.length + 4);
    framed.writeInt32BE(data.length, 0);
    data.copy(framed, 4);
    framed.writeUInt32BE(crc32(data), 4 + data.length);
    parts.push(framed);
    offset += framed.length;
    return ref;
  });
  return { file: Buffer.concat(parts), refs };
}

/** The vector's file, relative to the table's folder; null: the log itself holds it. Throws STAGED_UNSUPPORTED for one outside of the folder. */
export function vectorPath({ storageType, pathOrInlineDv }: DeletionVectorRef): string | null {
  if (storageType === 'i') return null;
  if (storageType === 'p') {
    throw new TidemarkError(
      'STAGED_UNSUPPORTED',
      `the staged table has a deletion vector outside of its folder: ${pathOrInlineDv}`,
      {
        hint: 'tidemark compact --rebuild makes the staged table anew from the raw files',
      },
    );
  }
  const bytes = decodeBase85(pathOrInlineDv.slice(-UUID_CHARACTERS));
  if (bytes?.length !== 16) throw broken(`${JSON.stringify(pathOrInlineDv)} names no file`);
  const folder = pathOrInlineDv.slice(0, -UUID_CHARACTERS);
  const uuid = bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  return `${folder && `${folder}/`}deletion_vector_${uuid}.bin`;
}

/** The deleted rows, ascending. `file`: the bytes at vectorPath(); null where that is null. Throws STAGED_BROKEN. */
export function decodeVector(ref: DeletionVectorRef, file: Buffer | null): number[] {
  const rows = decodeRows(file === null ? inlineData(ref) : fileData(ref, file));
  if (rows.length !== ref.cardinality) throw broken(`it has ${rows.length} rows, the log says ${ref.cardinality}`);
  return rows;
}

/** A RoaringBitmapArray: the magic number, then a bitmap for each range of 2^32 rows that has any. */
function encodeRows(rows: Iterable<number>): { data: Buffer; count: number } {
  const buckets = new Map<number, number[]>();
  let count = 0;
  let before = -1;
  for (const row of rows) {
    // An unordered one would be written where no reader finds it.
    if (!(row > before && Number.isSafeInteger(row))) throw new RangeError(`row ${row} after row ${before}`);
    before = row;
    count++;
    const bucket = Math.floor(row / BUCKET);
    if (!buckets.has(bucket)) buckets.set(bucket, []);
    buckets.get(bucket)!.push(row % BUCKET);
  }
  const head = Buffer.alloc(12);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt32LE(buckets.size, 4);
  const bitmaps = [...buckets].flatMap(([bucket, values]) => {
    const key = Buffer.alloc(4);
    key.writeUInt32LE(bucket);
    return [key, encodeRoaring(values)];
  });
  return { data: Buffer.concat([head, ...bitmaps]), count };
}

function decodeRows(data: Buffer): number[] {
  const rows: number[] = [];
  try {
    const magic = data.readUInt32LE(0);
    if (magic !== MAGIC) throw new RangeError(`its format ${magic} is not known`);
    const buckets = data.readBigUInt64LE(4);
    let at = 12;
    for (let i = 0n; i < buckets; i++) {
      at = decodeRoaring(data, at + 4, data.readUInt32LE(at) * BUCKET, rows);
    }
  } catch (error) {
    throw broken((error as Error).message, error);
  }
  return rows;
}

function inlineData({ pathOrInlineDv, sizeInBytes }: DeletionVectorRef): Buffer {
  const data = decodeBase85(pathOrInlineDv);
  if (!data || data.length < sizeInBytes) throw broken('what the log holds of it is no base 85');
  return data.subarray(0, sizeInBytes);
}

function fileData({ offset = 1, sizeInBytes }: DeletionVectorRef, file: Buffer): Buffer {
  if (file[0] !== FILE_VERSION) throw broken(`the version ${file[0]} of its file is not known`);
  const end = offset + 4 + sizeInBytes;
  if (file.length < end + 4) throw broken(`its file has ${file.length} bytes of ${end + 4}`);
  const size = file.readInt32BE(offset);
  if (size !== sizeInBytes) throw broken(`its file gives it ${size} bytes, the log ${sizeInBytes}`);
  const data = file.subarray(offset + 4, end);
  if (crc32(data) !== file.readUInt32BE(end)) throw broken('its checksum is wrong');
  return data;
}

function broken(what: string, cause?: unknown): TidemarkError {
  return new TidemarkError('STAGED_BROKEN', `a deletion vector of the staged table cannot be read: ${what}`, {
    hint: 'tidemark compact --rebuild makes the staged table anew from the raw files',
    cause,
  });
}
