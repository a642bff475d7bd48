/** Rows as text for COPY, in one buffer that grows. Invariant: whatever a value holds, it stays one field of one line. */

const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const BACKSLASH = 92;
const BEGIN = 256 * 1024;
const COPIED = 4 * 1024 * 1024;

export class CopyText {
  #buffer: Buffer;
  /** Where the next byte goes; set it back to take back what was written since. */
  length = 0;

  constructor(bytes = BEGIN) {
    this.#buffer = Buffer.allocUnsafeSlow(bytes);
  }

  /** What was written, in memory of its own that can be transferred; it starts anew. */
  take(): Buffer {
    const { length } = this;
    this.length = 0;
    const written = this.#buffer.subarray(0, length);
    if (length <= COPIED) {
      const copy = Buffer.allocUnsafeSlow(length);
      written.copy(copy);
      return copy;
    }
    // Copying a large drop would take its memory twice.
    this.#buffer = Buffer.allocUnsafeSlow(BEGIN);
    return written;
  }

  /** What was written from `start` on; until the next write. */
  since(start: number): Uint8Array {
    return this.#buffer.subarray(start, this.length);
  }

  tab(): void {
    this.#room(1);
    this.#buffer[this.length++] = TAB;
  }

  newline(): void {
    this.#room(1);
    this.#buffer[this.length++] = NEWLINE;
  }

  null(): void {
    this.#room(2);
    this.#buffer[this.length++] = BACKSLASH;
    this.#buffer[this.length++] = 78;
  }

  byte(byte: number): void {
    this.#room(1);
    this.#buffer[this.length++] = byte;
  }

  /** Bytes without tab, newline, return or backslash. */
  plain(b: Uint8Array, start: number, end: number): void {
    const count = end - start;
    this.#room(count);
    if (count > 64) {
      this.#buffer.set(b.subarray(start, end), this.length);
    } else {
      const to = this.#buffer;
      let at = this.length;
      for (let i = start; i < end; i++) to[at++] = b[i];
    }
    this.length += count;
  }

  /** Any bytes but NUL. */
  escaped(b: Uint8Array, start: number, end: number): void {
    this.#room(2 * (end - start));
    const to = this.#buffer;
    let at = this.length;
    for (let i = start; i < end; i++) {
      const c = b[i];
      if (c > RETURN && c !== BACKSLASH) {
        to[at++] = c;
        continue;
      }
      const letter = c === NEWLINE ? 110 : c === TAB ? 116 : c === RETURN ? 114 : c === BACKSLASH ? BACKSLASH : 0;
      if (letter !== 0) to[at++] = BACKSLASH;
      to[at++] = letter || c;
    }
    this.length = at;
  }

  /** Text without tab, newline, return or backslash. */
  text(text: string): void {
    this.#room(3 * text.length);
    this.length += this.#buffer.write(text, this.length);
  }

  /** A whole number from 0. */
  count(n: number): void {
    this.#room(20);
    let digits = 1;
    for (let limit = 10; n >= limit; limit *= 10) digits++;
    let at = this.length + digits;
    this.length = at;
    do {
      const tens = Math.floor(n / 10);
      this.#buffer[--at] = 48 + (n - tens * 10);
      n = tens;
    } while (n > 0);
  }

  #room(bytes: number): void {
    if (this.length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.length + bytes));
    this.#buffer.copy(larger, 0, 0, this.length);
    this.#buffer = larger;
  }
}
