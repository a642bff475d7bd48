/** A JSON array of rows; a row's line is the one that it begins on. Invariant: a broken array is no half drop, it is unreadable. */

import { isUtf8 } from 'node:buffer';
import { type BlockReader, Unreadable } from './block-reader.ts';
import { JsonScanner } from './json-scan.ts';
import type { RowSink } from './row-sink.ts';

const NEWLINE = 10;
const COMMA = 44;
const OPEN = 91;
const CLOSE = 93;
/** A text cut by the end of a block is found broken no further from it: `\u12`, `tru`. */
const CUT = 6;

export class ArrayReader implements BlockReader {
  readonly #rows: RowSink;
  readonly #most: number;
  readonly #scanner = new JsonScanner([]);
  #line = 1;
  #state: 'before' | 'first' | 'element' | 'separator' | 'after' = 'before';

  constructor(rows: RowSink, mostBytes: number) {
    this.#rows = rows;
    this.#most = mostBytes;
  }

  read(b: Buffer, last: boolean): number {
    let at = 0;
    while (true) {
      at = this.#space(b, at);
      if (at >= b.length) {
        if (last && this.#state !== 'after') throw this.#broken('it ends within the array');
        return at;
      }
      if (this.#state === 'element' || (this.#state === 'first' && b[at] !== CLOSE)) {
        const end = this.#element(b, at, last);
        if (end === null) return at;
        this.#count(b, at, end);
        at = end;
        this.#state = 'separator';
      } else {
        this.#mark(b[at]);
        at++;
      }
    }
  }

  /** The end of the element at `at`; null: the block ends within it. */
  #element(b: Buffer, at: number, last: boolean): number | null {
    const end = this.#scanner.scanOne(b, at, b.length);
    // A number may go on in the next block.
    if (typeof end === 'number' && (last || end < b.length)) {
      if (!isUtf8(b.subarray(at, end))) throw this.#broken('not UTF-8');
      if (end - at > this.#most)
        this.#rows.broken(this.#line, `longer than ${this.#most} bytes`, b.subarray(at, at + 1024));
      else this.#rows.json(b, at, end, this.#line);
      return end;
    }
    if (!last && b.length - at > this.#most + CUT) throw this.#broken(`an element is longer than ${this.#most} bytes`);
    if (typeof end === 'string' && (last || this.#scanner.failedAt < b.length - CUT)) throw this.#broken(end);
    return null;
  }

  #mark(c: number): void {
    if (this.#state === 'before' && c === OPEN) this.#state = 'first';
    else if (this.#state === 'separator' && c === COMMA) this.#state = 'element';
    else if ((this.#state === 'separator' || this.#state === 'first') && c === CLOSE) this.#state = 'after';
    else throw this.#broken(this.#state === 'after' ? 'something follows the array' : "',' or ']' should be here");
  }

  #space(b: Buffer, start: number): number {
    let at = start;
    for (; at < b.length; at++) {
      const c = b[at];
      if (c === NEWLINE) this.#line++;
      else if (c !== 32 && c !== 9 && c !== 13) break;
    }
    return at;
  }

  #count(b: Buffer, start: number, end: number): void {
    for (let at = b.indexOf(NEWLINE, start); at !== -1 && at < end; at = b.indexOf(NEWLINE, at + 1)) this.#line++;
  }

  #broken(problem: string): Unreadable {
    return new Unreadable(`line ${this.#line}: ${problem.startsWith('broken') ? problem : `broken JSON: ${problem}`}`);
  }
}
