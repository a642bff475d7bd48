/**
 * Finds the fields of binary COPY tuples and hands them to the columns in batches: a tight loop a column, not a call a value.
 * Invariant: a batch never outlives the chunk that its offsets point into.
 * Layout: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
 */

import { TidemarkError } from '../model/error.ts';

/** Rows a batch holds. Not a power of two: columns 4,096 bytes apart would all fall into the same few cache lines. */
const ROWS = 504;
const FILE_HEADER = 19;
const TRAILER = -1;

export type BatchSink = {
  /**
   * `rows` tuples: field `column` of tuple `row` begins at `at[column * stride + row]` in `bytes` (its int32 length stands
   * before it), or is NULL where that is -1.
   */
  batch(bytes: Buffer, view: DataView, at: Int32Array, stride: number, rows: number): void;
  /** How many more rows may come before the sink must see the batch. */
  room(): number;
};

export class TupleBatches {
  readonly #fields: number;
  readonly #at: Int32Array;
  readonly #sink: BatchSink;
  #bytes: Buffer | null = null;
  #view: DataView | null = null;
  #rows = 0;
  #limit: number;
  #headerSeen = false;
  #trailerSeen = false;

  constructor(fields: number, sink: BatchSink) {
    this.#fields = fields;
    this.#at = new Int32Array(fields * ROWS);
    this.#sink = sink;
    this.#limit = Math.min(ROWS, sink.room());
  }

  /** Whether the COPY's own trailer came: a COPY without it was cut. */
  get complete(): boolean {
    return this.#trailerSeen;
  }

  copyData(bytes: Buffer, view: DataView, start: number, end: number): void {
    let at = start;
    if (!this.#headerSeen) {
      this.#headerSeen = true;
      at += FILE_HEADER + view.getInt32(at + FILE_HEADER - 4);
      if (at >= end) return;
    }
    const count = view.getInt16(at);
    at += 2;
    if (count === TRAILER && at === end) {
      this.#trailerSeen = true;
      return;
    }
    const fields = this.#fields;
    if (count !== fields) throw outOfStep(`${count} fields where ${fields} were asked for`);
    const offsets = this.#at;
    for (let slot = this.#rows, last = slot + fields * ROWS; slot < last; slot += ROWS) {
      const length = view.getInt32(at);
      at += 4;
      if (length < 0) offsets[slot] = -1;
      else {
        offsets[slot] = at;
        at += length;
      }
    }
    if (at !== end) throw outOfStep(`a tuple of ${end - start} bytes whose fields take ${at - start}`);
    this.#bytes = bytes;
    this.#view = view;
    if (++this.#rows === this.#limit) this.chunkEnd();
  }

  /** Hands over what is there. */
  chunkEnd(): void {
    if (this.#rows === 0) return;
    const rows = this.#rows;
    this.#rows = 0;
    this.#sink.batch(this.#bytes!, this.#view!, this.#at, ROWS, rows);
    this.#bytes = null;
    this.#limit = Math.min(ROWS, this.#sink.room());
  }
}

function outOfStep(what: string): TidemarkError {
  return new TidemarkError('SOURCE_FAILED', `the server's COPY is out of step: ${what}`);
}
