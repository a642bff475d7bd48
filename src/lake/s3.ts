/** The lake in a bucket. Invariant: what is being written is a multipart upload, invisible until it is completed under a condition. */

import type { Lake } from './lake.ts';
import { completeS3 } from './s3-complete.ts';
import { deleteS3 } from './s3-delete.ts';
import { fetchS3 } from './s3-fetch.ts';
import { getS3, headS3 } from './s3-get.ts';
import { listObjects, listUploads } from './s3-list.ts';
import { createPartBuffers } from './s3-parts.ts';
import { overwriteS3, putS3 } from './s3-put.ts';
import { putS3File } from './s3-put-file.ts';
import { openSession, type S3Session } from './s3-session.ts';
import { abortS3Upload, startS3Upload } from './s3-upload.ts';
import type { LakeOptions, S3Settings } from './settings.ts';

/** The lake below `s3://bucket/prefix`. Connects to nothing yet. Throws CONFIG_INVALID. */
export function openS3Lake(at: { bucket: string; prefix: string }, settings: S3Settings, options: LakeOptions): Lake {
  const s3 = openSession(at.bucket, at.prefix, settings, options);
  const buffers = createPartBuffers();
  return {
    url: `s3://${at.bucket}${at.prefix === '' ? '' : `/${at.prefix}`}`,
    startUpload: (key, owner, signal) => startS3Upload(s3, buffers, key, owner, signal),
    completeUpload: (file, owner, signal) => completeS3(s3, file, owner, signal),
    abortUpload: (key, upload, signal) => abortS3Upload(s3, key, upload.id, signal),
    abortUploads: (prefix, signal) => abortAll(s3, prefix, signal),
    keepUploads: (prefix, ids, signal) => keepOpen(s3, prefix, ids, signal),
    putIfAbsent: (key, body, signal) => putS3(s3, key, body, signal),
    put: (key, body, signal) => overwriteS3(s3, key, body, signal),
    putFile: (key, from, signal) => putS3File(s3, buffers, key, from, signal),
    localPath: () => null,
    fetchFile: (key, to, signal, known = {}) => fetchS3(s3, key, to, signal, known),
    head: (key, signal) => headS3(s3, key, signal),
    get: (key, signal, range) => getS3(s3, key, signal, range),
    list: (prefix, signal, startAfter) => listObjects(s3, prefix, signal, startAfter),
    delete: (keys, signal) => deleteS3(s3, keys, signal),
    async [Symbol.asyncDispose]() {
      s3.client.destroy();
    },
  };
}

async function abortAll(s3: S3Session, prefix: string, signal: AbortSignal): Promise<number> {
  const open = await openUploads(s3, prefix, signal);
  for (const { key, id } of open) await abortS3Upload(s3, key, id, signal);
  return open.length;
}

async function keepOpen(s3: S3Session, prefix: string, ids: ReadonlySet<string>, signal: AbortSignal) {
  const kept = new Set<string>();
  for (const { key, id } of await openUploads(s3, prefix, signal)) {
    if (ids.has(id)) kept.add(id);
    else await abortS3Upload(s3, key, id, signal);
  }
  return kept;
}

/** All pages, before anything is done: some servers count positions, and aborting what was listed would move the rest. */
async function openUploads(s3: S3Session, prefix: string, signal: AbortSignal): Promise<{ key: string; id: string }[]> {
  const open: { key: string; id: string }[] = [];
  for await (const each of listUploads(s3, prefix, signal)) open.push(each);
  return open;
}
