/** What the S3 test server answers. Invariant: a handler is one operation; checksums, owner and conditions are checked as AWS does. */

import { type Bucket, type CompletedPart, crc32Base64, createBucket, S3Refusal } from './s3-bucket.ts';
import type { S3Operation } from './s3-faults.ts';
import { blocksOf, documentOf, element, textsOf } from './s3-xml.ts';

export type S3Request = {
  operation: S3Operation;
  bucket: string;
  key: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  body: Buffer;
  /** DeleteObjects: a key that is not deleted. */
  failing?: { key: string; code: string };
};

export type S3Answer = { status: number; headers?: Record<string, string>; body?: string | Buffer };

/** How a server differs from AWS. */
export type S3Behaviour = {
  conditions: 'honoured' | 'ignored' | 'refused';
  batchDelete: boolean;
  pageSize: number;
  owner: string;
  /** Keys in listings are encoded when the request asks for it. */
  urlEncoding: boolean;
  /** Complete wants the checksums of the parts, as S3 does for an upload that was opened with them. */
  partChecksums: boolean;
};

export type S3World = { buckets: Map<string, Bucket>; behaviour: S3Behaviour };

export function serve(world: S3World, request: S3Request): S3Answer {
  if (request.operation === 'CreateBucket') {
    world.buckets.set(request.bucket, createBucket());
    return { status: 200 };
  }
  const bucket = world.buckets.get(request.bucket);
  if (bucket === undefined) throw new S3Refusal(404, 'NoSuchBucket');
  const owner = request.headers['x-amz-expected-bucket-owner'];
  if (owner !== undefined && owner !== world.behaviour.owner) throw new S3Refusal(403, 'AccessDenied');
  checkChecksum(request);
  return HANDLERS[request.operation](bucket, request, world.behaviour);
}

type Handler = (bucket: Bucket, request: S3Request, behaviour: S3Behaviour) => S3Answer;

const HANDLERS: Record<S3Operation, Handler> = {
  CreateBucket: () => ({ status: 200 }),
  HeadBucket: () => ({ status: 200 }),
  PutObject(bucket, request, behaviour) {
    const object = bucket.put(request.key, request.body, aboutOf(request), conditionOf(request, behaviour));
    return { status: 200, headers: { etag: object.etag } };
  },
  HeadObject: (bucket, request) => ({ ...objectAnswer(bucket, request), body: undefined }),
  GetObject(bucket, request) {
    const answer = objectAnswer(bucket, request);
    const wanted = request.headers['if-match'];
    if (wanted !== undefined && wanted !== answer.headers?.etag) throw new S3Refusal(412, 'PreconditionFailed');
    return answer;
  },
  DeleteObject(bucket, request) {
    bucket.objects.delete(request.key);
    return { status: 204 };
  },
  DeleteObjects(bucket, request, behaviour) {
    if (!behaviour.batchDelete) throw new S3Refusal(501, 'NotImplemented');
    const keys = textsOf(request.body.toString(), 'Key');
    if (keys.length > 1000) throw new S3Refusal(400, 'MalformedXML');
    const { failing } = request;
    for (const key of keys) if (key !== failing?.key) bucket.objects.delete(key);
    const failed = failing && keys.includes(failing.key);
    const errors = failed ? [element('Error', [element('Key', failing.key), element('Code', failing.code)])] : [];
    return { status: 200, body: documentOf('DeleteResult', errors) };
  },
  ListObjectsV2(bucket, request, behaviour) {
    const prefix = request.query.get('prefix') ?? '';
    const after = request.query.get('continuation-token') ?? request.query.get('start-after') ?? '';
    const encode = encoderOf(request, behaviour);
    const rest = bucket
      .keys()
      .filter(
        (key) => key.startsWith(prefix) && (after === '' || Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0),
      );
    const page = rest.slice(0, behaviour.pageSize);
    const contents = page.map((key) => {
      const object = bucket.objects.get(key)!;
      return element('Contents', [
        element('Key', encode(key)),
        element('LastModified', object.modified.toISOString()),
        element('ETag', object.etag),
        element('Size', object.body.length),
      ]);
    });
    const truncated = rest.length > page.length;
    const next = truncated ? [element('NextContinuationToken', page[page.length - 1])] : [];
    const encoding = behaviour.urlEncoding ? [element('EncodingType', 'url')] : [];
    return {
      status: 200,
      body: documentOf('ListBucketResult', [
        ...encoding,
        element('IsTruncated', String(truncated)),
        ...next,
        ...contents,
      ]),
    };
  },
  CreateMultipartUpload(bucket, request) {
    const upload = bucket.createUpload(request.key, aboutOf(request));
    return { status: 200, body: documentOf('InitiateMultipartUploadResult', [element('UploadId', upload.id)]) };
  },
  UploadPart(bucket, request) {
    const { uploadId, number } = {
      uploadId: request.query.get('uploadId')!,
      number: Number(request.query.get('partNumber')),
    };
    if (!(number >= 1 && number <= 10_000)) throw new S3Refusal(400, 'InvalidArgument');
    const part = bucket.uploadPart(uploadId, number, request.body);
    return { status: 200, headers: { etag: part.etag, 'x-amz-checksum-crc32': part.crc32 } };
  },
  CompleteMultipartUpload(bucket, request, behaviour) {
    const parts = blocksOf(request.body.toString(), 'Part').map(
      (xml): CompletedPart => ({
        number: Number(textsOf(xml, 'PartNumber')[0]),
        etag: textsOf(xml, 'ETag')[0],
        crc32: textsOf(xml, 'ChecksumCRC32')[0],
      }),
    );
    const object = bucket.complete(
      request.query.get('uploadId')!,
      parts,
      conditionOf(request, behaviour),
      behaviour.partChecksums,
    );
    return { status: 200, body: documentOf('CompleteMultipartUploadResult', [element('ETag', object.etag)]) };
  },
  AbortMultipartUpload(bucket, request) {
    bucket.abort(request.query.get('uploadId')!);
    return { status: 204 };
  },
  ListMultipartUploads(bucket, request, behaviour) {
    const prefix = request.query.get('prefix') ?? '';
    const marker = [request.query.get('key-marker') ?? '', request.query.get('upload-id-marker') ?? ''].join('\0');
    const encode = encoderOf(request, behaviour);
    const place = (each: { key: string; id: string }) => `${each.key}\0${each.id}`;
    const all = [...bucket.uploads.values()].sort((a, b) => (place(a) < place(b) ? -1 : 1));
    const rest = all.filter((each) => each.key.startsWith(prefix) && (marker === '\0' || place(each) > marker));
    const page = rest.slice(0, behaviour.pageSize);
    const last = page[page.length - 1];
    const truncated = rest.length > page.length;
    const uploads = page.map((each) =>
      element('Upload', [element('Key', encode(each.key)), element('UploadId', each.id)]),
    );
    const next = truncated ? [element('NextKeyMarker', encode(last.key)), element('NextUploadIdMarker', last.id)] : [];
    const encoding = behaviour.urlEncoding ? [element('EncodingType', 'url')] : [];
    return {
      status: 200,
      body: documentOf('ListMultipartUploadsResult', [
        ...encoding,
        element('IsTruncated', String(truncated)),
        ...next,
        ...uploads,
      ]),
    };
  },
};

function objectAnswer(bucket: Bucket, request: S3Request): S3Answer {
  const object = bucket.objects.get(request.key);
  if (object === undefined) throw new S3Refusal(404, 'NoSuchKey');
  const metadata = Object.entries(object.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]);
  const headers = {
    etag: object.etag,
    'last-modified': object.modified.toUTCString(),
    ...Object.fromEntries(metadata),
  };
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  if (range === null) {
    const checksum = { 'x-amz-checksum-crc32': crc32Base64(object.body) };
    return {
      status: 200,
      headers: { ...headers, ...checksum, 'content-length': String(object.body.length) },
      body: object.body,
    };
  }
  const first = Number(range[1]);
  if (first >= object.body.length) throw new S3Refusal(416, 'InvalidRange');
  const body = object.body.subarray(first, Number(range[2]) + 1);
  const contentRange = `bytes ${first}-${first + body.length - 1}/${object.body.length}`;
  return {
    status: 206,
    headers: { ...headers, 'content-range': contentRange, 'content-length': String(body.length) },
    body,
  };
}

function aboutOf(request: S3Request): { metadata: Record<string, string>; sse?: string } {
  const named = Object.entries(request.headers).filter(([name]) => name.startsWith('x-amz-meta-'));
  const metadata = Object.fromEntries(named.map(([name, value]) => [name.slice('x-amz-meta-'.length), value]));
  return { metadata, sse: request.headers['x-amz-server-side-encryption'] };
}

function conditionOf(request: S3Request, behaviour: S3Behaviour): boolean {
  if (request.headers['if-none-match'] === undefined) return false;
  if (behaviour.conditions === 'refused') throw new S3Refusal(501, 'NotImplemented');
  return behaviour.conditions === 'honoured';
}

function checkChecksum(request: S3Request): void {
  const claimed = request.headers['x-amz-checksum-crc32'];
  if (claimed !== undefined && claimed !== crc32Base64(request.body)) throw new S3Refusal(400, 'BadDigest');
}

// As S3: application/x-www-form-urlencoded, but for the slash.
function encoderOf(request: S3Request, behaviour: S3Behaviour): (key: string) => string {
  if (!behaviour.urlEncoding || request.query.get('encoding-type') !== 'url') return (key) => key;
  return (key) => encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/');
}
