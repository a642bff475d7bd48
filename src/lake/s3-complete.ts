/** Makes an S3 upload visible. Invariant: after an unclear answer the object's metadata decides, never the ETag or the answer. */

import { CompleteMultipartUploadCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { TidemarkError } from '../model/error.ts';
import type { PreparedFile } from '../model/run.ts';
import type { UploadOwner } from './lake.ts';
import { faultOf, isMissing, isUnknownToServer } from './s3-fault.ts';
import type { S3Session } from './s3-session.ts';
import { ownerMetadata } from './s3-upload.ts';

/** What has the key: nothing, the file of this run and token, or another. */
type Holder = 'nobody' | 'us' | 'other';

// A Complete that another process sent may be under way while its upload is gone already: looked again before giving up.
const LOOKS_BEFORE_EXPIRED = 3;

/** Completes the upload under `If-None-Match: *`; see Lake.completeUpload. */
export async function completeS3(s3: S3Session, file: PreparedFile, owner: UploadOwner, signal: AbortSignal) {
  const { key } = file;
  // S3-compatible servers differ: some complete and ignore the condition, some refuse the header. There a look comes first.
  let conditional = true;
  let lookFirst = s3.compatible;
  const call = { operation: 'CompleteMultipartUpload', permission: 's3:PutObject', key };

  const attempt = async () => {
    if (lookFirst && isOurs(await holderOf(s3, key, owner, signal), key)) return;
    try {
      const send = (abortSignal: AbortSignal) =>
        s3.client.send(completeCommand(s3, file, conditional), { abortSignal });
      // S3 joins the parts before it answers, for minutes when they are many.
      await s3.once({ ...call, bytes: file.bytes }, send, signal);
    } catch (error) {
      signal.throwIfAborted();
      const fault = faultOf(error);
      if (isUnknownToServer(fault) && conditional) {
        conditional = false;
        lookFirst = true;
        return attempt();
      }
      if (fault.code === 'NoSuchUpload') return settleMissing(s3, key, owner, signal);
      // Nothing was sent, or nobody may look either.
      if (fault.status === undefined && !mayHaveArrived(fault.code)) throw error;
      if (fault.status === 403 || fault.code === 'NoSuchBucket') throw error;
      if (isOurs(await holderOf(s3, key, owner, signal), key)) return;
      throw error;
    }
  };
  await s3.call({ ...call, bytes: Number.POSITIVE_INFINITY }, () => attempt(), signal);
}

function completeCommand(s3: S3Session, file: PreparedFile, conditional: boolean) {
  const parts = file.upload.parts.map((part) => ({
    PartNumber: part.number,
    ETag: part.etag,
    ...(part.crc32 ? { ChecksumCRC32: part.crc32 } : {}),
  }));
  return new CompleteMultipartUploadCommand({
    ...s3.common,
    Key: s3.objectKey(file.key),
    UploadId: file.upload.id,
    MultipartUpload: { Parts: parts },
    ...(conditional ? { IfNoneMatch: '*' } : {}),
  });
}

/** True when done; false when nobody has the key. Throws LAKE_KEY_TAKEN. */
function isOurs(holder: Holder, key: string): boolean {
  if (holder === 'other') throw new TidemarkError('LAKE_KEY_TAKEN', 'another file has this name', { key });
  return holder === 'us';
}

async function settleMissing(s3: S3Session, key: string, owner: UploadOwner, signal: AbortSignal): Promise<void> {
  for (let look = 1; look <= LOOKS_BEFORE_EXPIRED; look++) {
    if (look > 1) await s3.tools.sleep(s3.limits.baseMs * 2 ** look, signal);
    if (isOurs(await holderOf(s3, key, owner, signal), key)) return;
  }
  const hint =
    'a lifecycle rule that aborts incomplete uploads should leave them a day at least; the run is planned again by the next export';
  throw new TidemarkError('UPLOAD_EXPIRED', 'an upload is gone before it was completed', { hint, key });
}

async function holderOf(s3: S3Session, key: string, owner: UploadOwner, signal: AbortSignal): Promise<Holder> {
  const metadata = await metadataOf(s3, key, signal);
  if (metadata === null) return 'nobody';
  const ours = Object.entries(ownerMetadata(owner)).every(([name, value]) => metadata[name] === value);
  return ours ? 'us' : 'other';
}

/** The object's metadata; null when there is no object. */
export async function metadataOf(
  s3: S3Session,
  key: string,
  signal: AbortSignal,
): Promise<Record<string, string> | null> {
  const input = { ...s3.common, Key: s3.objectKey(key) };
  const send = async (abortSignal: AbortSignal) => {
    try {
      return (await s3.client.send(new HeadObjectCommand(input), { abortSignal })).Metadata ?? {};
    } catch (error) {
      if (isMissing(faultOf(error))) return null;
      throw error;
    }
  };
  return s3.call({ operation: 'HeadObject', permission: 's3:GetObject and s3:ListBucket', key }, send, signal);
}

function mayHaveArrived(code: string): boolean {
  return !['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'CredentialsProviderError', 'TimeoutError'].includes(code);
}
