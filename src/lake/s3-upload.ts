/** One file on its way to S3. Invariant: a multipart upload, a small file too; it stays open, thus invisible, when finished. */

import { crc32 } from 'node:zlib';
import { AbortMultipartUploadCommand, CreateMultipartUploadCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { TidemarkError } from '../model/error.ts';
import type { PreparedFile, UploadRef } from '../model/run.ts';
import type { Upload, UploadOwner } from './lake.ts';
import { BrokenAnswer, faultOf } from './s3-fault.ts';
import { PART_SIZE, PARTS_IN_FLIGHT, type PartBuffers, partSize } from './s3-parts.ts';
import type { S3Session } from './s3-session.ts';

// abort() runs while a process ends: recovery removes what it does not get to.
const ABORT_MS = 5_000;

/** The metadata that says whose object it is. */
export function ownerMetadata(owner: UploadOwner): Record<string, string> {
  return { 'tidemark-run': String(owner.run), 'tidemark-token': String(owner.token) };
}

/** Server-side encryption, as configured: for calls that make objects. */
export function encryption(s3: S3Session) {
  const { sse, sse_kms_key_id } = s3.settings;
  if (sse === undefined) return {};
  return {
    ServerSideEncryption: sse as 'AES256' | 'aws:kms' | 'aws:kms:dsse',
    ...(sse_kms_key_id ? { SSEKMSKeyId: sse_kms_key_id } : {}),
  };
}

/** The CRC-32 as S3 writes it: base64 of four bytes, the greatest first. */
export function crc32Text(body: Buffer | number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(typeof body === 'number' ? body : crc32(body));
  return bytes.toString('base64');
}

/** Opens a multipart upload for the key. */
export async function startS3Upload(
  s3: S3Session,
  buffers: PartBuffers,
  key: string,
  owner: UploadOwner,
  signal: AbortSignal,
): Promise<Upload> {
  const id = await createUpload(s3, key, owner, signal);
  // One part that fails for good stops the others.
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();

  const first = s3.settings.part_size ?? PART_SIZE;
  const parts: UploadRef['parts'] = [];
  const inFlight = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;
  let filling: Buffer | undefined;
  let filled = 0;
  let number = 1;
  let bytes = 0;
  let over = false;

  const check = () => {
    if (over) throw new TidemarkError('INTERNAL', 'this upload is over', { key });
    signal.throwIfAborted();
    if (failure !== undefined) throw failure.error;
  };
  const send = (buffer: Buffer, length: number, part: number) => {
    const sent = uploadPart(s3, key, id, part, buffer.subarray(0, length), stop.signal)
      .then((done) => {
        parts.push(done);
        // Only now: an attempt that timed out may still be reading a buffer of a part that failed.
        buffers.give(buffer);
      })
      .catch((error) => {
        failure ??= { error };
        stop.abort(error);
      })
      .finally(() => inFlight.delete(sent));
    inFlight.add(sent);
  };
  const sendFilling = () => {
    send(filling ?? Buffer.alloc(0), filled, number);
    filling = undefined;
    filled = 0;
    number++;
  };
  return {
    async write(chunk) {
      for (let at = 0; at < chunk.length; ) {
        check();
        if (filling === undefined) {
          while (inFlight.size >= PARTS_IN_FLIGHT) await Promise.race(inFlight);
          check();
          filling = buffers.take(partSize(number, first));
        }
        const taken = chunk.copy(filling, filled, at);
        filled += taken;
        at += taken;
        bytes += taken;
        if (filled === filling.length) sendFilling();
      }
    },
    async finish(): Promise<PreparedFile> {
      check();
      // S3 completes no upload without a part: an empty file has an empty one.
      if (filled > 0 || number === 1) sendFilling();
      await Promise.all(inFlight);
      check();
      over = true;
      signal.removeEventListener('abort', onAbort);
      return { key, bytes, upload: { id, parts: parts.sort((a, b) => a.number - b.number) } };
    },
    async abort() {
      over = true;
      stop.abort(new Error('the upload was given up'));
      signal.removeEventListener('abort', onAbort);
      await Promise.all(inFlight);
      await abortS3Upload(s3, key, id, AbortSignal.timeout(ABORT_MS)).catch(() => {});
    },
  };
}

async function createUpload(s3: S3Session, key: string, owner: UploadOwner, signal: AbortSignal): Promise<string> {
  const input = {
    ...s3.common,
    ...encryption(s3),
    Key: s3.objectKey(key),
    Metadata: ownerMetadata(owner),
    ContentType: 'application/octet-stream',
    ...(s3.settings.checksums === 'none' ? {} : { ChecksumAlgorithm: 'CRC32' as const }),
  };
  const send = async (abortSignal: AbortSignal) => {
    const answer = await s3.client.send(new CreateMultipartUploadCommand(input), { abortSignal });
    if (!answer.UploadId) throw new BrokenAnswer('no upload id');
    return answer.UploadId;
  };
  return s3.call({ operation: 'CreateMultipartUpload', permission: 's3:PutObject', key }, send, signal);
}

async function uploadPart(s3: S3Session, key: string, id: string, number: number, body: Buffer, signal: AbortSignal) {
  const checksum = s3.settings.checksums === 'none' ? undefined : crc32Text(body);
  const input = {
    ...s3.common,
    Key: s3.objectKey(key),
    UploadId: id,
    PartNumber: number,
    Body: body,
    ContentLength: body.length,
    ...(checksum ? { ChecksumCRC32: checksum } : {}),
  };
  const send = async (abortSignal: AbortSignal) => {
    const answer = await s3.client.send(new UploadPartCommand(input), { abortSignal });
    if (!answer.ETag) throw new BrokenAnswer('no ETag');
    return answer.ETag;
  };
  const call = { operation: 'UploadPart', permission: 's3:PutObject', key, bytes: body.length };
  const etag = await s3.call(call, send, signal);
  return { number, etag, ...(checksum ? { crc32: checksum } : {}), bytes: body.length };
}

/** Gives an upload up; one that is gone already is fine. */
export async function abortS3Upload(s3: S3Session, key: string, id: string, signal: AbortSignal): Promise<void> {
  const input = { ...s3.common, Key: s3.objectKey(key), UploadId: id };
  const send = async (abortSignal: AbortSignal) => {
    try {
      await s3.client.send(new AbortMultipartUploadCommand(input), { abortSignal });
    } catch (error) {
      if (faultOf(error).code !== 'NoSuchUpload') throw error;
    }
  };
  await s3.call({ operation: 'AbortMultipartUpload', permission: 's3:AbortMultipartUpload', key }, send, signal);
}
