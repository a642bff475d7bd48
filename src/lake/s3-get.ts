/** Reads objects. Invariant: a body that is shorter than its announcement is never returned. */

import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import type { LakeObject } from './lake.ts';
import { attemptLimitMs, within } from './retry.ts';
import { faultOf, isMissing } from './s3-fault.ts';
import { unquoted } from './s3-list.ts';
import type { S3Session } from './s3-session.ts';

/** Size, time and etag; null when there is no such object (or, as HEAD has no body, no such bucket). */
export async function headS3(s3: S3Session, key: string, signal: AbortSignal): Promise<LakeObject | null> {
  const input = { ...s3.common, Key: s3.objectKey(key) };
  const send = async (abortSignal: AbortSignal) => {
    try {
      const found = await s3.client.send(new HeadObjectCommand(input), { abortSignal });
      return {
        key,
        bytes: found.ContentLength ?? 0,
        modified: found.LastModified ?? new Date(0),
        etag: unquoted(found.ETag),
      };
    } catch (error) {
      if (isMissing(faultOf(error))) return null;
      throw error;
    }
  };
  return s3.call({ operation: 'HeadObject', permission: 's3:GetObject and s3:ListBucket', key }, send, signal);
}

/** The bytes; a range beyond the end gives what there is. Throws LAKE_NOT_FOUND. */
export async function getS3(
  s3: S3Session,
  key: string,
  signal: AbortSignal,
  range?: [number, number],
): Promise<Buffer> {
  if (range !== undefined && range[1] <= range[0]) return Buffer.alloc(0);
  const input = {
    ...s3.common,
    Key: s3.objectKey(key),
    ...(range === undefined ? {} : { Range: `bytes=${range[0]}-${range[1] - 1}` }),
  };
  const send = async (abortSignal: AbortSignal) => {
    try {
      const answer = await within(s3.limits.attemptMs, abortSignal, (inner) =>
        s3.client.send(new GetObjectCommand(input), { abortSignal: inner }),
      );
      const stream = answer.Body as AsyncIterable<Uint8Array> & { destroy?(): void };
      const limitMs = attemptLimitMs(answer.ContentLength ?? 0, s3.limits);
      const body = await within(limitMs, abortSignal, (inner) => readWhole(stream, inner));
      // A server that ignores the range sends everything.
      return range !== undefined && answer.ContentRange === undefined ? body.subarray(range[0], range[1]) : body;
    } catch (error) {
      // An empty object, or a range behind the end.
      if (range !== undefined && faultOf(error).status === 416) return Buffer.alloc(0);
      throw error;
    }
  };
  // The limit is on the answer and, once its length is known, on the body.
  const call = { operation: 'GetObject', permission: 's3:GetObject', key, bytes: Number.POSITIVE_INFINITY };
  return s3.call(call, send, signal);
}

// Node fails a body that is shorter than its announced length; the attempt is then repeated.
async function readWhole(body: AsyncIterable<Uint8Array> & { destroy?(): void }, signal: AbortSignal): Promise<Buffer> {
  const stop = () => body.destroy?.();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
