/** Deletes objects, a thousand a request. Invariant: an error inside a 200 answer is an error. */

import { DeleteObjectCommand, DeleteObjectsCommand } from '@aws-sdk/client-s3';
import { faultOf, isMissing } from './s3-fault.ts';
import type { S3Session } from './s3-session.ts';

const BATCH = 1000;
const SINGLES_AT_ONCE = 8;
// Refusals of DeleteObjects by servers that delete one by one: unknown, or wants the MD5 that the SDK no longer sends.
const WITHOUT_BATCH = new Set([
  'NotImplemented',
  'MethodNotAllowed',
  'MissingContentMD5',
  'InvalidDigest',
  'MalformedXML',
  'HTTP 405',
  'HTTP 501',
]);

/** Deletes the keys; those that are gone already are fine. */
export async function deleteS3(s3: S3Session, keys: string[], signal: AbortSignal): Promise<void> {
  // XML 1.0 cannot carry control characters, escaped or not.
  const odd = keys.filter((key) => /[\u0000-\u001f\ufffe\uffff]/.test(key));
  await eachSingly(s3, odd, signal);
  const plain = keys.filter((key) => !odd.includes(key));
  for (let at = 0; at < plain.length; at += BATCH) await deleteBatch(s3, plain.slice(at, at + BATCH), signal);
}

async function deleteBatch(s3: S3Session, keys: string[], signal: AbortSignal): Promise<void> {
  let left = keys;
  const send = async (abortSignal: AbortSignal) => {
    const input = { ...s3.common, Delete: { Quiet: true, Objects: left.map((key) => ({ Key: s3.objectKey(key) })) } };
    try {
      const answer = await s3.client.send(new DeleteObjectsCommand(input), { abortSignal });
      const failed = (answer.Errors ?? []).filter((each) => each.Code !== 'NoSuchKey');
      if (failed.length === 0) return 'done';
      // Only those are tried again.
      left = failed.map((each) => s3.lakeKey(each.Key ?? '')).filter((key) => key !== null);
      throw Object.assign(new Error(failed[0].Message ?? 'not deleted'), {
        name: failed[0].Code ?? 'InternalError',
        $metadata: { httpStatusCode: statusOf(failed[0].Code) },
      });
    } catch (error) {
      if (WITHOUT_BATCH.has(faultOf(error).code)) return 'singly';
      throw error;
    }
  };
  const call = { operation: 'DeleteObjects', permission: 's3:DeleteObject', key: keys[0] };
  if ((await s3.call(call, send, signal)) === 'singly') await eachSingly(s3, left, signal);
}

// An error inside the answer has a code and no status.
function statusOf(code: string | undefined): number {
  return code === 'AccessDenied' ? 403 : 500;
}

async function eachSingly(s3: S3Session, keys: string[], signal: AbortSignal): Promise<void> {
  const left = [...keys];
  const worker = async () => {
    for (let key = left.shift(); key !== undefined; key = left.shift()) await deleteOne(s3, key, signal);
  };
  await Promise.all(Array.from({ length: Math.min(SINGLES_AT_ONCE, keys.length) }, worker));
}

async function deleteOne(s3: S3Session, key: string, signal: AbortSignal): Promise<void> {
  const input = { ...s3.common, Key: s3.objectKey(key) };
  const send = async (abortSignal: AbortSignal) => {
    try {
      await s3.client.send(new DeleteObjectCommand(input), { abortSignal });
    } catch (error) {
      const fault = faultOf(error);
      if (!isMissing(fault)) throw error;
    }
  };
  await s3.call({ operation: 'DeleteObject', permission: 's3:DeleteObject', key }, send, signal);
}
