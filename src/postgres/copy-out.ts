/**
 * Runs `COPY … TO STDOUT (FORMAT binary)` on a pg client. Invariant: the client is handed back only after ReadyForQuery,
 * with whole messages; in every other case its connection is destroyed.
 */

import type { Socket } from 'node:net';
import type pg from 'pg';
import { TidemarkError } from '../model/error.ts';
import { CopyFrames } from './copy-frames.ts';
import { CopySocket } from './copy-socket.ts';

export type CopySink = {
  copyData(bytes: Buffer, view: DataView, start: number, end: number): void;
  chunkEnd(): void;
};

/** Pauses and resumes what the server sends. */
export type Flow = { pause(): void; resume(): void; fail(error: unknown): void };

type Connection = pg.Connection & { stream: Socket; query(text: string): void };
type Listener = (chunk: Buffer) => void;

const READY_FOR_QUERY = 0x5a;

/**
 * Hands every CopyData payload of the statement to `sink`, in place. `start` receives the flow control before the first byte.
 * Rejects with pg's DatabaseError when the server refuses, with what the sink threw, or with the signal's reason; in the
 * last two cases the connection is gone (an aborted COPY TO leaves a client unusable).
 */
export function copyOut(
  client: pg.ClientBase,
  text: string,
  sink: CopySink,
  start: (flow: Flow) => void,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  return new Promise<void>((resolve, reject) => {
    client.query(new CopyOut(text, sink, start, signal, resolve, reject));
  });
}

class CopyOut implements pg.Submittable {
  #text: string;
  #sink: CopySink;
  #start: (flow: Flow) => void;
  #signal: AbortSignal;
  #resolve: () => void;
  #reject: (error: unknown) => void;
  #stream: Socket | null = null;
  #pgListeners: Listener[] = [];
  #error: unknown = null;
  #settled = false;
  #paused = false;
  readonly #onData: Listener;
  readonly #onAbort: () => void;
  readonly #onClose: () => void;

  constructor(
    text: string,
    sink: CopySink,
    start: (flow: Flow) => void,
    signal: AbortSignal,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.#text = text;
    this.#sink = sink;
    this.#start = start;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    const frames = new CopyFrames({
      copyData: (bytes, view, from, to) => this.#sink.copyData(bytes, view, from, to),
      chunkEnd: () => this.#sink.chunkEnd(),
      message: (bytes) => this.#forward(bytes),
      rest: (bytes) => this.#toPg(bytes),
    });
    this.#onData = (chunk) => {
      try {
        frames.feed(chunk);
      } catch (error) {
        this.#destroy(error);
      }
    };
    this.#onAbort = () => this.#destroy(this.#signal.reason);
    // pg forgets a statement at its first error: that the server then ended the connection would never reach us.
    this.#onClose = () => this.#destroy(this.#error ?? lost());
  }

  /** Called by pg when it is this statement's turn. */
  submit(connection: pg.Connection): void {
    const { stream } = connection as Connection;
    this.#stream = stream;
    // While it waited for its turn: an abort that has happened sends no event.
    if (this.#signal.aborted) {
      this.#destroy(this.#signal.reason);
      return;
    }
    // Before the COPY is sent: by the time of CopyOutResponse pg's parser would already hold rows.
    this.#pgListeners = stream.listeners('data') as Listener[];
    if (stream instanceof CopySocket) stream.sink = this.#onData;
    else {
      stream.removeAllListeners('data');
      stream.on('data', this.#onData);
    }
    stream.once('close', this.#onClose);
    this.#signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#start({
      pause: () => {
        this.#paused = true;
        stream.pause();
      },
      resume: () => {
        this.#paused = false;
        if (!stream.destroyed) stream.resume();
      },
      fail: (error) => this.#destroy(error),
    });
    (connection as Connection).query(this.#text);
  }

  /** pg's own parser answers for errors, notices, parameter changes and ReadyForQuery: it gets each of them whole. */
  #forward(message: Buffer): void {
    const ready = message[0] === READY_FOR_QUERY;
    if (ready) this.#handBack();
    this.#toPg(message);
    // Only now: pg takes no further statement before it has seen ReadyForQuery, and after an error it does not tell us of it.
    if (ready) this.#settle(this.#error);
  }

  #toPg(bytes: Buffer): void {
    for (const listener of this.#pgListeners) listener.call(this.#stream, bytes);
  }

  #handBack(): void {
    const stream = this.#stream!;
    this.#letGo(stream);
    for (const listener of this.#pgListeners)
      if (!stream.listeners('data').includes(listener)) stream.on('data', listener);
    // The last group may have paused the socket; pg would then wait for ever for the COMMIT's answer.
    if (this.#paused) stream.resume();
  }

  #letGo(stream: Socket): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    stream.off('close', this.#onClose);
    if (stream instanceof CopySocket) stream.sink = null;
    else stream.off('data', this.#onData);
  }

  #destroy(error: unknown): void {
    if (this.#stream) this.#letGo(this.#stream);
    this.#stream?.destroy();
    this.#settle(error ?? new Error('aborted'));
  }

  #settle(error: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    if (error) this.#reject(error);
    else this.#resolve();
  }

  handleError(error: Error): void {
    // Without a server's severity the connection itself has broken: no ReadyForQuery will come.
    if ('severity' in error) this.#error ??= error;
    else this.#destroy(lost(error));
  }

  handleReadyForQuery(): void {}
  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
}

function lost(cause?: Error): TidemarkError {
  return new TidemarkError('SOURCE_LOST', 'the connection to the source broke off', {
    hint: 'nothing is lost: the next run goes on from the last mark',
    cause,
  });
}
