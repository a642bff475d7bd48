/** S3 objects into local files. Invariant: all bytes of a file are of one object, and there are as many as it has. */

import { GetObjectCommand } from '@aws-sdk/client-s3';
import { TidemarkError } from '../model/error.ts';
import { checkKnown, type FilledFile, fillFile } from './filled-file.ts';
import { passed } from './garbage.ts';
import type { KnownFile } from './lake.ts';
import { attemptLimitMs, within } from './retry.ts';
import { BrokenAnswer, faultOf, isConditionUnmet } from './s3-fault.ts';
import { headS3 } from './s3-get.ts';
import { unquoted } from './s3-list.ts';
import type { S3Session } from './s3-session.ts';

const MIB = 1024 * 1024;
// One connection brings some 80 MB/s at most; a piece is long enough for its connection to get fast.
const PIECE = 8 * MIB;
const PIECES_AT_ONCE = 4;
// Up to here in one answer: S3 sends its checksum with whole objects only, and the SDK compares it.
const WHOLE = 2 * PIECE;
// What one write takes: sockets give some 64 KiB at a time.
const WRITE = 256 * 1024;

type Piece = { first: number; afterLast: number };
type Fetched = { bytes: number; etag: string };

/** See Lake.fetchFile. */
export async function fetchS3(
  s3: S3Session,
  key: string,
  to: string,
  signal: AbortSignal,
  known: KnownFile,
): Promise<Fetched> {
  return fillFile(to, async (file) => {
    const small = known.bytes !== undefined && known.bytes <= WHOLE;
    const found = await fetchPiece(s3, key, file, small ? null : { first: 0, afterLast: PIECE }, known.etag, signal);
    checkKnown({ key, ...found }, known);
    if (!small && found.bytes > PIECE && !found.whole) {
      await file.announce(found.bytes);
      await fetchRest(s3, key, file, found, signal);
    }
    return { bytes: found.bytes, etag: found.etag };
  });
}

async function fetchRest(s3: S3Session, key: string, file: FilledFile, found: Fetched, signal: AbortSignal) {
  // One piece that fails for good stops the others.
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let next = PIECE;
  const worker = async () => {
    for (let first = next; first < found.bytes; first = next) {
      next = Math.min(first + PIECE, found.bytes);
      const piece = await fetchPiece(s3, key, file, { first, afterLast: next }, found.etag, either);
      checkKnown({ key, ...piece }, found);
    }
  };
  const workers = Array.from({ length: PIECES_AT_ONCE }, () =>
    worker().catch((error) => {
      stop.abort(error);
      throw error;
    }),
  );
  // All of them: the file is not closed under one that still writes.
  const failed = (await Promise.allSettled(workers)).find((each) => each.status === 'rejected');
  signal.throwIfAborted();
  if (failed !== undefined) throw stop.signal.reason;
}

/** Writes one piece, or with null the whole object; gives the whole object's size, and whether all of it came. */
async function fetchPiece(
  s3: S3Session,
  key: string,
  file: FilledFile,
  piece: Piece | null,
  etag: string | undefined,
  signal: AbortSignal,
): Promise<Fetched & { whole: boolean }> {
  const input = {
    ...s3.common,
    Key: s3.objectKey(key),
    ...(piece === null ? {} : { Range: `bytes=${piece.first}-${piece.afterLast - 1}` }),
    ...(etag ? { IfMatch: `"${etag}"` } : {}),
  };
  const send = async (abortSignal: AbortSignal) => {
    try {
      const answer = await within(s3.limits.attemptMs, abortSignal, (inner) =>
        s3.client.send(new GetObjectCommand(input), { abortSignal: inner }),
      );
      const body = answer.Body as Body;
      const length = answer.ContentLength ?? 0;
      const range = rangeOf(answer.ContentRange);
      const first = piece?.first ?? 0;
      // A server that knows no ranges sends everything: fine for the first piece, which is then the only one.
      if (range === null ? first > 0 : range.first !== first || range.bytes !== length) {
        body.destroy?.();
        throw new BrokenAnswer('another range than asked for');
      }
      const limitMs = attemptLimitMs(length, s3.limits);
      const written = await within(limitMs, abortSignal, (inner) => pour(body, file, first, inner));
      if (written !== length) throw new BrokenAnswer(`${written} bytes of ${length}`);
      return { bytes: range?.total ?? length, etag: unquoted(answer.ETag), whole: range === null };
    } catch (error) {
      const fault = faultOf(error);
      if (isConditionUnmet(fault)) {
        throw new TidemarkError('LAKE_CHANGED', 'a file of the lake was changed while it was read', { key });
      }
      // No byte has a place in an empty object.
      const empty = fault.status === 416 && piece?.first === 0 ? await headS3(s3, key, abortSignal) : null;
      if (empty?.bytes === 0) return { bytes: 0, etag: empty.etag, whole: true };
      throw error;
    }
  };
  // The limits are on the answer and, once its length is known, on the body.
  const call = { operation: 'GetObject', permission: 's3:GetObject', key, bytes: Number.POSITIVE_INFINITY };
  return s3.call(call, send, signal);
}

type Body = AsyncIterable<Uint8Array> & { destroy?(): void };

async function pour(body: Body, file: FilledFile, first: number, signal: AbortSignal): Promise<number> {
  const stop = () => body.destroy?.();
  signal.addEventListener('abort', stop, { once: true });
  try {
    // Copied together: held as they come, the socket's chunks would grow old, and old garbage is collected late.
    const held = Buffer.allocUnsafeSlow(WRITE);
    let filled = 0;
    let at = first;
    const write = async () => {
      await file.write([held.subarray(0, filled)], at);
      at += filled;
      filled = 0;
    };
    for await (const chunk of body) {
      passed(chunk.length);
      for (let taken = 0; taken < chunk.length; ) {
        const part = chunk.subarray(taken, taken + WRITE - filled);
        held.set(part, filled);
        filled += part.length;
        taken += part.length;
        if (filled === WRITE) await write();
      }
    }
    await write();
    return at - first;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function rangeOf(text: string | undefined): { first: number; bytes: number; total: number } | null {
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(text ?? '');
  if (found === null) return null;
  const [first, last, total] = found.slice(1).map(Number);
  return { first, bytes: last - first + 1, total };
}
