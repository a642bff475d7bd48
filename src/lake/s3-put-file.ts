/** Local files into S3. Invariant: memory does not grow with the file, and a key that is taken stays as it is. */

import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { TidemarkError } from '../model/error.ts';
import { passed } from './garbage.ts';
import { completeS3 } from './s3-complete.ts';
import { PART_SIZE, type PartBuffers } from './s3-parts.ts';
import { putS3 } from './s3-put.ts';
import type { S3Session } from './s3-session.ts';
import { crc32Text, startS3Upload } from './s3-upload.ts';

// Up to so many parts (128 MiB) in one request: that needs a megabyte of memory where parts need 32, and S3 keeps one
// checksum for the whole object. But an attempt that fails begins anew.
const PARTS_IN_ONE = 16;
const READ = 256 * 1024;

/** See Lake.putFile. */
export async function putS3File(
  s3: S3Session,
  buffers: PartBuffers,
  key: string,
  from: string,
  signal: AbortSignal,
): Promise<void> {
  const { size } = await stat(from);
  if (size > PARTS_IN_ONE * (s3.settings.part_size ?? PART_SIZE)) return inParts(s3, buffers, key, from, signal);
  const checksum = s3.settings.checksums === 'none' ? undefined : await checksumOf(from, signal);
  const body = { length: size, crc32: checksum, open: () => Readable.from(chunksOf(from), { objectMode: false }) };
  if ((await putS3(s3, key, body, signal)) === 'exists') {
    throw new TidemarkError('LAKE_KEY_TAKEN', 'another file has this name', { key });
  }
}

async function checksumOf(path: string, signal: AbortSignal): Promise<string> {
  let sum = 0;
  for await (const chunk of chunksOf(path, signal)) sum = crc32(chunk, sum);
  return crc32Text(sum);
}

async function* chunksOf(path: string, signal?: AbortSignal): AsyncIterable<Buffer> {
  for await (const chunk of createReadStream(path, { highWaterMark: READ, signal })) {
    passed(chunk.length);
    yield chunk;
  }
}

async function inParts(s3: S3Session, buffers: PartBuffers, key: string, from: string, signal: AbortSignal) {
  // Nobody else's: an answer that got lost is settled by it.
  const owner = { run: 0n, token: randomBytes(8).readBigUInt64BE() };
  const upload = await startS3Upload(s3, buffers, key, owner, signal);
  try {
    for await (const chunk of chunksOf(from, signal)) await upload.write(chunk);
    await completeS3(s3, await upload.finish(), owner, signal);
  } catch (error) {
    await upload.abort();
    signal.throwIfAborted();
    throw error;
  }
}
