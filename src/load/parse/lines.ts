/** JSON lines. Invariant: a bad line costs no other; lines are numbered as an editor numbers them. */

import { isUtf8 } from 'node:buffer';
import type { BlockReader } from './block-reader.ts';
import type { RowSink } from './row-sink.ts';

const NEWLINE = 10;
const RETURN = 13;
// What is shown of a line that is longer than it may be.
const SHOWN_BYTES = 64 * 1024;

export class LineReader implements BlockReader {
  readonly #rows: RowSink;
  readonly #most: number;
  #line = 1;
  /** Within a line that is too long and rejected already. */
  #skipping = false;

  constructor(rows: RowSink, mostBytes: number) {
    this.#rows = rows;
    this.#most = mostBytes;
  }

  read(b: Buffer, last: boolean): number {
    const whole = last ? b.length : b.lastIndexOf(NEWLINE) + 1;
    const utf8 = isUtf8(b.subarray(0, whole));
    let at = 0;
    while (at < whole) {
      const newline = b.indexOf(NEWLINE, at);
      const end = newline === -1 ? whole : newline;
      if (this.#skipping) this.#skipping = false;
      else this.#one(b, at, b[end - 1] === RETURN && end > at ? end - 1 : end, utf8);
      this.#line++;
      at = end + 1;
    }
    if (whole < b.length && this.#skipping) return b.length;
    if (b.length - whole > this.#most + 1) {
      this.#tooLong(b.subarray(whole));
      this.#skipping = true;
      return b.length;
    }
    return Math.min(at, b.length);
  }

  #one(b: Buffer, start: number, end: number, utf8: boolean): void {
    if (end - start > this.#most) {
      this.#tooLong(b.subarray(start, end));
    } else if (!utf8 && !isUtf8(b.subarray(start, end))) {
      this.#rows.broken(this.#line, 'not UTF-8', b.subarray(start, end));
    } else if (!isBlank(b, start, end)) {
      this.#rows.json(b, start, end, this.#line);
    }
  }

  #tooLong(line: Buffer): void {
    this.#rows.broken(this.#line, `longer than ${this.#most} bytes`, line.subarray(0, SHOWN_BYTES));
  }
}

function isBlank(b: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (b[i] > 32 || (b[i] !== 32 && b[i] !== 9 && b[i] !== RETURN)) return false;
  return true;
}
