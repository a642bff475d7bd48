/** Writes objects in one request. Invariant: where it writes once, a mark of our own in its metadata tells our object from an equal one of somebody else. */

import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { metadataOf } from './s3-complete.ts';
import { faultOf, isConditionUnmet, isUnknownToServer } from './s3-fault.ts';
import type { S3Session } from './s3-session.ts';
import { crc32Text, encryption } from './s3-upload.ts';

const MARK = 'tidemark-put';

/** A body that is read while it goes out, anew for each attempt. `crc32`: of all its bytes, as S3 writes it. */
export type StreamedBody = { length: number; crc32: string | undefined; open(): Readable };

/** PutObject under `If-None-Match: *`; see Lake.putIfAbsent. Where the server refuses the condition: a look, then a put. */
export async function putS3(
  s3: S3Session,
  key: string,
  body: Buffer | StreamedBody,
  signal: AbortSignal,
): Promise<'created' | 'exists'> {
  const mark = randomUUID();
  let conditional = true;
  const write = async (abortSignal: AbortSignal): Promise<'created' | 'exists'> => {
    if (!conditional) {
      const holder = await metadataOf(s3, key, abortSignal);
      if (holder !== null) return holder[MARK] === mark ? 'created' : 'exists';
    }
    const sent = Buffer.isBuffer(body) ? body : body.open();
    try {
      await s3.client.send(putCommand(s3, key, body, sent, mark, conditional), { abortSignal });
      return 'created';
    } catch (error) {
      const fault = faultOf(error);
      if (isUnknownToServer(fault) && conditional) {
        conditional = false;
        return write(abortSignal);
      }
      if (!isConditionUnmet(fault)) throw error;
      // It may be our own: an attempt before this one may have arrived though its answer did not.
      return (await metadataOf(s3, key, abortSignal))?.[MARK] === mark ? 'created' : 'exists';
    } finally {
      if (!Buffer.isBuffer(sent)) sent.destroy();
    }
  };
  const call = { operation: 'PutObject', permission: 's3:PutObject', key, bytes: body.length };
  return s3.call(call, (abortSignal) => write(abortSignal), signal);
}

/** PutObject over whatever is there; see Lake.put. */
export async function overwriteS3(s3: S3Session, key: string, body: Buffer, signal: AbortSignal): Promise<void> {
  const call = { operation: 'PutObject', permission: 's3:PutObject', key, bytes: body.length };
  const send = (abortSignal: AbortSignal) =>
    s3.client.send(putCommand(s3, key, body, body, null, false), { abortSignal });
  await s3.call(call, send, signal);
}

function putCommand(
  s3: S3Session,
  key: string,
  body: Buffer | StreamedBody,
  sent: Buffer | Readable,
  mark: string | null,
  conditional: boolean,
): PutObjectCommand {
  const crc32 = Buffer.isBuffer(body) ? crc32Text(body) : body.crc32;
  return new PutObjectCommand({
    ...s3.common,
    ...encryption(s3),
    Key: s3.objectKey(key),
    Body: sent,
    ContentLength: body.length,
    ...(mark === null ? {} : { Metadata: { [MARK]: mark } }),
    ...(s3.settings.checksums === 'none' ? {} : { ChecksumCRC32: crc32 }),
    ...(conditional ? { IfNoneMatch: '*' } : {}),
  });
}
