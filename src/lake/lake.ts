/**
 * The lake: where files live. Invariant: an upload is invisible until it is completed, and completing never overwrites.
 * Keys are relative to the lake's root, with `/` between their parts.
 */

import type { PreparedFile, UploadRef } from '../model/run.ts';

/** Written into the object's metadata (S3) or the temporary name (local), so that an ambiguous answer can be settled. */
export type UploadOwner = { run: bigint; token: bigint };

/** One file on its way. Owned by its writer: finish() or abort() ends it. */
export type Upload = {
  /** Takes the chunk over; resolves when there is room for more, so that a slow lake slows its writer. */
  write(chunk: Buffer): Promise<void>;
  /** Resolves once every byte is durable in the lake and still invisible. */
  finish(): Promise<PreparedFile>;
  /** Gives up; never throws. Nothing stays, or the next recovery removes it. */
  abort(): Promise<void>;
};

export type LakeObject = { key: string; bytes: number; modified: Date; etag: string };

/** What a reader expects of a file. */
export type KnownFile = { bytes?: number; etag?: string };

export type Lake = AsyncDisposable & {
  /** For people: `s3://bucket/prefix` or `file:/path`; never a secret. */
  readonly url: string;
  startUpload(key: string, owner: UploadOwner, signal: AbortSignal): Promise<Upload>;
  /**
   * Makes the file visible, unless another file has its key. Safe to repeat, in another process too.
   * Resolves once durable. Throws UPLOAD_EXPIRED when neither the upload nor the file of this run and token is there,
   * LAKE_KEY_TAKEN when a file of somebody else has the key.
   */
  completeUpload(file: PreparedFile, owner: UploadOwner, signal: AbortSignal): Promise<void>;
  abortUpload(key: string, upload: UploadRef, signal: AbortSignal): Promise<void>;
  /** Aborts every open upload below the prefix, also those of dead processes; returns how many. */
  abortUploads(prefix: string, signal: AbortSignal): Promise<number>;
  /** Aborts every open upload below the prefix but those with one of these ids; returns which of those are there. */
  keepUploads(prefix: string, ids: ReadonlySet<string>, signal: AbortSignal): Promise<Set<string>>;
  /** Writes a small object once. `exists` when the key is taken; then nothing was written. */
  putIfAbsent(key: string, body: Buffer, signal: AbortSignal): Promise<'created' | 'exists'>;
  /** Writes a small object whole, over what the key may hold: a reader sees the old bytes or the new ones. Resolves once durable. */
  put(key: string, body: Buffer, signal: AbortSignal): Promise<void>;
  /**
   * Makes the local file `from` the lake's file `key`, whole or not at all; keys of such files are new (a UUID). Resolves
   * once durable. `from` stays, but may be the very file that the lake now has: remove it, never write to it.
   * Throws LAKE_KEY_TAKEN.
   */
  putFile(key: string, from: string, signal: AbortSignal): Promise<void>;
  /** Where a local lake has the file; null for a lake elsewhere. */
  localPath(key: string): string | null;
  /**
   * Copies the file into the local file `to`, whole or not at all, a few hundred kilobytes of it in memory at a time.
   * Throws LAKE_NOT_FOUND; LAKE_CHANGED when it is not what is known of it, or changes meanwhile; SPOOL_FULL when the
   * local disk has no room; SPOOL_FAILED.
   */
  fetchFile(key: string, to: string, signal: AbortSignal, known?: KnownFile): Promise<{ bytes: number; etag: string }>;
  head(key: string, signal: AbortSignal): Promise<LakeObject | null>;
  /** The object's bytes, `range` as [first, afterLast). Throws LAKE_NOT_FOUND. */
  get(key: string, signal: AbortSignal, range?: [number, number]): Promise<Buffer>;
  /** In the order of the keys' bytes; with `startAfter` only what comes after that key. */
  list(prefix: string, signal: AbortSignal, startAfter?: string): AsyncIterable<LakeObject>;
  delete(keys: string[], signal: AbortSignal): Promise<void>;
};
