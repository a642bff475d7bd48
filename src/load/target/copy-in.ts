/**
 * Runs `COPY … FROM STDIN` on a pg client. Invariant: it settles only once the server is ready for the next statement, or
 * the connection is gone.
 */

import type { Socket } from 'node:net';
import type pg from 'pg';

type Connection = pg.Connection & { stream: Socket; query(text: string): void };

const COPY_DATA = 0x64;
/** Smaller pieces are sent together: a write to the socket for each of 500 drops would cost more than its copy. */
const PIECE_BYTES = 256 * 1024;

/**
 * Sends the pieces, whole lines of COPY's text format each. Rejects with pg's DatabaseError when the server refuses, with what
 * the pieces throw, or with the signal's reason; in the last two cases the connection is destroyed.
 */
export function copyIn(
  client: pg.ClientBase,
  text: string,
  pieces: Iterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  return new Promise<void>((resolve, reject) => {
    client.query(new CopyIn(text, pieces, signal, resolve, reject));
  });
}

class CopyIn implements pg.Submittable {
  readonly #text: string;
  readonly #pieces: Iterable<Uint8Array>;
  readonly #signal: AbortSignal;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  readonly #onEnd: () => void;
  #stream: Socket | null = null;
  #error: unknown = null;
  #settled = false;

  constructor(
    text: string,
    pieces: Iterable<Uint8Array>,
    signal: AbortSignal,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.#text = text;
    this.#pieces = pieces;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    // pg forgets a statement at its first error, and tells nobody that the connection then ended.
    this.#onEnd = () =>
      this.#settle(this.#signal.aborted ? this.#signal.reason : (this.#error ?? new Error('Connection terminated')));
  }

  /** Called by pg when it is this statement's turn. */
  submit(connection: pg.Connection): void {
    const { stream } = connection as Connection;
    this.#stream = stream;
    stream.once('close', this.#onEnd);
    this.#signal.addEventListener('abort', this.#abort, { once: true });
    if (this.#signal.aborted) this.#abort();
    else (connection as Connection).query(this.#text);
  }

  readonly #abort = () => {
    this.#stream?.destroy();
    this.#onEnd();
  };

  handleCopyInResponse(connection: pg.Connection): void {
    this.#send(connection as Connection).catch((error) => {
      this.#error = error;
      this.#stream?.destroy();
    });
  }

  async #send(connection: Connection): Promise<void> {
    const { stream } = connection;
    for (const piece of gathered(this.#pieces)) {
      if (this.#settled) return;
      const head = Buffer.allocUnsafe(5);
      head[0] = COPY_DATA;
      head.writeUInt32BE(piece.length + 4, 1);
      stream.write(head);
      if (!stream.write(piece)) await drained(stream);
    }
    if (!this.#settled) (connection as unknown as { endCopyFrom(): void }).endCopyFrom();
  }

  handleError(error: Error): void {
    // pg keeps the next statement back until the server is ready; what is still on its way to a failed COPY the server ignores.
    this.#settle(error);
  }

  handleReadyForQuery(): void {
    this.#settle(null);
  }

  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}

  #settle(error: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#signal.removeEventListener('abort', this.#abort);
    this.#stream?.off('close', this.#onEnd);
    if (error) this.#reject(error);
    else this.#resolve();
  }
}

function drained(stream: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
    if (stream.destroyed) done();
  });
}

function* gathered(pieces: Iterable<Uint8Array>): Iterable<Uint8Array> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for (const piece of pieces) {
    held.push(piece);
    bytes += piece.length;
    if (bytes < PIECE_BYTES) continue;
    yield held.length === 1 ? piece : Buffer.concat(held, bytes);
    held = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(held, bytes);
}
