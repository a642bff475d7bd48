/**
 * Cuts the server's bytes into protocol messages. Invariant: CopyData payloads are seen in place, never copied, unless a
 * message is split over two chunks; every other message is passed on whole, so that pg's own parser never holds half of one.
 */

import { TidemarkError } from '../model/error.ts';

const COPY_DATA = 0x64;
const READY_FOR_QUERY = 0x5a;
const HEADER = 5;

export type FrameSink = {
  /** A CopyData payload: bytes[start, end). `view` shows the same chunk. Valid until chunkEnd(). */
  copyData(bytes: Buffer, view: DataView, start: number, end: number): void;
  /** What was handed out of this chunk is about to become invalid. */
  chunkEnd(): void;
  /** Any other message, whole, with its header. */
  message(bytes: Buffer): void;
  /** What came behind ReadyForQuery in the same chunk (a notice, a parameter change): no longer the COPY's. */
  rest(bytes: Buffer): void;
};

export class CopyFrames {
  #sink: FrameSink;
  /** Start of a message whose end has not arrived: its header, or, once its length is known, room for all of it. */
  #pending: Buffer | null = null;
  #filled = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Takes the next bytes of the connection. Throws SOURCE_FAILED where they are not the protocol's. */
  feed(chunk: Buffer): void {
    let at = 0;
    if (this.#pending) {
      at = this.#resume(chunk);
      if (at === chunk.length) return;
    }
    const end = chunk.length;
    const view = new DataView(chunk.buffer, chunk.byteOffset, end);
    while (at + HEADER <= end) {
      const next = at + 1 + view.getInt32(at + 1);
      if (next < at + HEADER) throw malformed();
      if (next > end) break;
      if (chunk[at] === COPY_DATA) this.#sink.copyData(chunk, view, at + HEADER, next);
      else {
        const ended = chunk[at] === READY_FOR_QUERY;
        this.#sink.chunkEnd();
        this.#sink.message(chunk.subarray(at, next));
        if (ended) {
          if (next < end) this.#sink.rest(chunk.subarray(next));
          return;
        }
      }
      at = next;
    }
    this.#sink.chunkEnd();
    if (at < end) this.#keep(chunk, at, end);
  }

  #keep(chunk: Buffer, at: number, end: number): void {
    const known = end - at >= HEADER;
    // Room for the whole message at once: growing it chunk by chunk copies a 30 MB value 500 times.
    this.#pending = Buffer.allocUnsafe(known ? 1 + chunk.readInt32BE(at + 1) : HEADER);
    chunk.copy(this.#pending, 0, at, end);
    this.#filled = end - at;
  }

  /** Completes the pending message from the chunk's start; returns where the next message begins. */
  #resume(chunk: Buffer): number {
    let at = 0;
    for (;;) {
      const pending = this.#pending!;
      const take = Math.min(pending.length - this.#filled, chunk.length - at);
      chunk.copy(pending, this.#filled, at, at + take);
      this.#filled += take;
      at += take;
      if (this.#filled < pending.length) return at;
      const length = 1 + pending.readInt32BE(1);
      if (length < HEADER) throw malformed();
      if (length === pending.length) break;
      this.#pending = Buffer.allocUnsafe(length);
      pending.copy(this.#pending, 0);
    }
    const whole = this.#pending!;
    this.#pending = null;
    if (whole[0] === COPY_DATA) {
      this.#sink.copyData(whole, new DataView(whole.buffer, whole.byteOffset, whole.length), HEADER, whole.length);
      this.#sink.chunkEnd();
    } else {
      this.#sink.message(whole);
      if (whole[0] === READY_FOR_QUERY && at < chunk.length) {
        this.#sink.rest(chunk.subarray(at));
        return chunk.length;
      }
    }
    return at;
  }
}

function malformed(): TidemarkError {
  return new TidemarkError('SOURCE_FAILED', 'the server sent bytes that are not of the protocol', {
    hint: 'a proxy between tidemark and Postgres that changes messages? Connect to Postgres directly',
  });
}
