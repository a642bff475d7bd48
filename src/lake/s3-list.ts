/** Lists objects and open uploads of a prefix, a page at a time. Invariant: a page without entries is a page, not an end. */

import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { TidemarkError } from '../model/error.ts';
import type { LakeObject } from './lake.ts';
import type { S3Session } from './s3-session.ts';

/** The objects whose key begins with the prefix, in S3's order: of the keys' bytes. */
export async function* listObjects(
  s3: S3Session,
  prefix: string,
  signal: AbortSignal,
  startAfter?: string,
): AsyncIterable<LakeObject> {
  const after = startAfter === undefined ? undefined : Buffer.from(startAfter);
  let token: string | undefined;
  do {
    // XML has no place for some characters of keys: without url encoding one such key makes a whole page unreadable.
    const input = {
      ...s3.common,
      Prefix: s3.objectKey(prefix),
      EncodingType: 'url' as const,
      ContinuationToken: token,
      ...(startAfter === undefined ? {} : { StartAfter: s3.objectKey(startAfter) }),
    };
    const send = (abortSignal: AbortSignal) => s3.client.send(new ListObjectsV2Command(input), { abortSignal });
    const page = await s3.call({ operation: 'ListObjectsV2', permission: 's3:ListBucket', key: prefix }, send, signal);
    for (const each of page.Contents ?? []) {
      const key = s3.lakeKey(decoded(each.Key ?? '', page.EncodingType));
      if (key === null || key === '') continue;
      // Some servers do not know StartAfter, or forget it on the second page.
      if (after !== undefined && Buffer.compare(Buffer.from(key), after) <= 0) continue;
      yield { key, bytes: each.Size ?? 0, modified: each.LastModified ?? new Date(0), etag: unquoted(each.ETag) };
    }
    token = nextOf(page.IsTruncated, page.NextContinuationToken, token);
  } while (token !== undefined);
}

/** Keys (of the lake) and ids of the uploads that are open below the prefix. */
export async function* listUploads(
  s3: S3Session,
  prefix: string,
  signal: AbortSignal,
): AsyncIterable<{ key: string; id: string }> {
  let keyMarker: string | undefined;
  let idMarker: string | undefined;
  let more = true;
  while (more) {
    const input = {
      ...s3.common,
      Prefix: s3.objectKey(prefix),
      EncodingType: 'url' as const,
      KeyMarker: keyMarker,
      UploadIdMarker: idMarker,
    };
    const send = (abortSignal: AbortSignal) => s3.client.send(new ListMultipartUploadsCommand(input), { abortSignal });
    const call = { operation: 'ListMultipartUploads', permission: 's3:ListBucketMultipartUploads', key: prefix };
    const page = await s3.call(call, send, signal);
    for (const each of page.Uploads ?? []) {
      const objectKey = decoded(each.Key ?? '', page.EncodingType);
      const key = s3.lakeKey(objectKey);
      // Some servers take the prefix for a hint.
      if (key?.startsWith(prefix) && each.UploadId) yield { key, id: each.UploadId };
    }
    more = page.IsTruncated === true;
    const next = page.NextKeyMarker === undefined ? undefined : decoded(page.NextKeyMarker, page.EncodingType);
    const moved = next !== undefined && (next !== keyMarker || page.NextUploadIdMarker !== idMarker);
    if (more && !moved) throw stuck('ListMultipartUploads');
    keyMarker = next;
    idMarker = page.NextUploadIdMarker;
  }
}

/** The next page's token. A server that repeats a token would keep us here forever. */
function nextOf(
  truncated: boolean | undefined,
  next: string | undefined,
  last: string | undefined,
): string | undefined {
  if (truncated !== true) return undefined;
  if (next === undefined || next === last) throw stuck('ListObjectsV2');
  return next;
}

function stuck(operation: string): TidemarkError {
  return new TidemarkError('LAKE_FAILED', `${operation}: the server names no further page though it says there is one`);
}

/** Keys come form-encoded when the answer says so; some servers ignore the wish. */
function decoded(key: string, encoding: string | undefined): string {
  return encoding === 'url' ? decodeURIComponent(key.replaceAll('+', ' ')) : key;
}

export function unquoted(etag: string | undefined): string {
  return (etag ?? '').replace(/^"|"$/g, '');
}
