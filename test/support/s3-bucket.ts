/** A bucket in memory, as S3 keeps it. Invariant: an object appears whole and at once; a condition is checked in that instant. */

import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

export class S3Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string) {
    super(code);
    this.status = status;
    this.code = code;
  }
}

type StoredObject = {
  body: Buffer;
  etag: string;
  metadata: Record<string, string>;
  sse?: string;
  modified: Date;
};
type StoredPart = { body: Buffer; etag: string; crc32: string };
type OpenUpload = {
  id: string;
  key: string;
  metadata: Record<string, string>;
  sse?: string;
  parts: Map<number, StoredPart>;
};
export type CompletedPart = { number: number; etag: string; crc32?: string };

export type Bucket = {
  readonly objects: Map<string, StoredObject>;
  readonly uploads: Map<string, OpenUpload>;
  put(
    key: string,
    body: Buffer,
    about: { metadata: Record<string, string>; sse?: string },
    ifNoneMatch: boolean,
  ): StoredObject;
  createUpload(key: string, about: { metadata: Record<string, string>; sse?: string }): OpenUpload;
  uploadPart(id: string, number: number, body: Buffer): StoredPart;
  complete(id: string, parts: CompletedPart[], ifNoneMatch: boolean, checksums?: boolean): StoredObject;
  abort(id: string): void;
  keys(): string[];
};

export function crc32Base64(body: Buffer): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString('base64');
}

const md5 = (body: Buffer) => createHash('md5').update(body).digest();

export function createBucket(): Bucket {
  const objects = new Map<string, StoredObject>();
  const uploads = new Map<string, OpenUpload>();
  const store = (key: string, object: StoredObject, ifNoneMatch: boolean) => {
    if (ifNoneMatch && objects.has(key)) throw new S3Refusal(412, 'PreconditionFailed');
    objects.set(key, object);
    return object;
  };
  const uploadOf = (id: string) => {
    const upload = uploads.get(id);
    if (upload === undefined) throw new S3Refusal(404, 'NoSuchUpload');
    return upload;
  };
  return {
    objects,
    uploads,
    put(key, body, about, ifNoneMatch) {
      return store(key, { ...about, body, etag: `"${md5(body).toString('hex')}"`, modified: new Date() }, ifNoneMatch);
    },
    createUpload(key, about) {
      const upload = { ...about, id: randomBytes(12).toString('hex'), key, parts: new Map() };
      uploads.set(upload.id, upload);
      return upload;
    },
    uploadPart(id, number, body) {
      const part = { body, etag: `"${md5(body).toString('hex')}"`, crc32: crc32Base64(body) };
      uploadOf(id).parts.set(number, part);
      return part;
    },
    complete(id, named, ifNoneMatch, checksums = true) {
      const upload = uploadOf(id);
      if (named.length === 0) throw new S3Refusal(400, 'MalformedXML');
      const parts = named.map(({ number, etag, crc32 }, at) => {
        const part = upload.parts.get(number);
        if (at > 0 && named[at - 1].number >= number) throw new S3Refusal(400, 'InvalidPartOrder');
        if (part === undefined || part.etag !== etag || (checksums && part.crc32 !== crc32))
          throw new S3Refusal(400, 'InvalidPart');
        return part;
      });
      const digest = createHash('md5')
        .update(Buffer.concat(parts.map((part) => md5(part.body))))
        .digest('hex');
      const { metadata, sse } = upload;
      const body = Buffer.concat(parts.map((part) => part.body));
      const object = store(
        upload.key,
        { body, metadata, sse, etag: `"${digest}-${parts.length}"`, modified: new Date() },
        ifNoneMatch,
      );
      uploads.delete(id);
      return object;
    },
    abort(id) {
      uploadOf(id);
      uploads.delete(id);
    },
    keys: () => [...objects.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  };
}
