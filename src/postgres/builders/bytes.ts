/** Values of any length: text, bytea, uuid. Each stands in PLAIN as its length in four bytes, little-endian, then its bytes. */

import { isUtf8 } from 'node:buffer';
import { ColumnBuilder, type Unfit } from './column-builder.ts';

/** Up to this length a loop beats the call into Buffer.copy. */
const SHORT = 40;

/** Text and bytea, as they are; `skip` bytes at the front are left out (jsonb: its version byte). */
export class BytesBuilder extends ColumnBuilder {
  readonly #skip: number;

  constructor(skip = 0) {
    super();
    this.#skip = skip;
  }

  append(bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void {
    const skip = this.#skip;
    let present = 0;
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      if (p < 0) {
        this.setNull(this.rows + i);
        continue;
      }
      const length = view.getInt32(p - 4) - skip;
      if (this.used + length + 4 > this.bytes.length) this.reserve(length + 4);
      const out = this.bytes;
      let q = this.used;
      out[q] = length;
      out[q + 1] = length >> 8;
      out[q + 2] = length >> 16;
      out[q + 3] = length >> 24;
      q += 4;
      const start = p + skip;
      if (length <= SHORT) for (let k = 0; k < length; k++) out[q + k] = bytes[start + k];
      else bytes.copy(out, q, start, start + length);
      this.used = q + length;
      present++;
    }
    this.added(rows, present);
  }
}

/** Text of a SQL_ASCII database, where any bytes may stand: what is not UTF-8 has no place in a lake's string. */
export class CheckedTextBuilder extends BytesBuilder {
  readonly #front: number;
  readonly #unfit: Unfit;
  #checked: Int32Array = new Int32Array(0);

  constructor(skip: number, unfit: Unfit) {
    super(skip);
    this.#front = skip;
    this.#unfit = unfit;
  }

  override append(bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void {
    if (this.#checked.length < rows) this.#checked = new Int32Array(rows * 2);
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      this.#checked[i] = p;
      if (p < 0) continue;
      const value = bytes.subarray(p + this.#front, p + view.getInt32(p - 4));
      if (isUtf8(value)) continue;
      this.#unfit(i, () => value.toString('latin1'));
      this.#checked[i] = -1;
    }
    super.append(bytes, view, this.#checked, 0, rows);
  }
}

/** `!`, with which no JSON begins. */
const MARK = 0x21;

const HEX = Uint8Array.from(Buffer.from('0123456789abcdef'));

/** uuid as its 36 lower-case characters. */
export class UuidBuilder extends ColumnBuilder {
  append(bytes: Buffer, _view: DataView, at: Int32Array, from: number, rows: number): void {
    this.reserve(rows * 40);
    const out = this.bytes;
    let q = this.used;
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      if (p < 0) {
        this.setNull(this.rows + i);
        continue;
      }
      out[q] = 36;
      out[q + 1] = 0;
      out[q + 2] = 0;
      out[q + 3] = 0;
      q += 4;
      for (let k = 0; k < 16; k++) {
        if (k === 4 || k === 6 || k === 8 || k === 10) out[q++] = 0x2d;
        const byte = bytes[p + k];
        out[q++] = HEX[byte >> 4];
        out[q++] = HEX[byte & 15];
      }
    }
    this.added(rows, (q - this.used) / 40);
    this.used = q;
  }
}

/** JSON that the query made; a value that JSON cannot carry arrives with `!` and Postgres's own text. `trustText`: as makeBuilder's. */
export class MarkedJsonBuilder extends BytesBuilder {
  readonly #trustText: boolean;
  readonly #unfit: Unfit;
  #fit: Int32Array = new Int32Array(0);

  constructor(trustText: boolean, unfit: Unfit) {
    super();
    this.#trustText = trustText;
    this.#unfit = unfit;
  }

  override append(bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void {
    if (this.#fit.length < rows) this.#fit = new Int32Array(rows * 2);
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      this.#fit[i] = p;
      if (p < 0) continue;
      const end = p + view.getInt32(p - 4);
      const marked = bytes[p] === MARK;
      const sound = this.#trustText || isUtf8(bytes.subarray(p, end));
      if (!marked && sound) continue;
      this.#unfit(i, () => bytes.toString(sound ? 'utf8' : 'latin1', marked ? p + 1 : p, end));
      this.#fit[i] = -1;
    }
    super.append(bytes, view, this.#fit, 0, rows);
  }
}

/** The column beside another one that holds, as text, the values that had no place there; NULL in every other row. */
export class ShadowTextBuilder extends ColumnBuilder {
  #next: { row: number; text: string }[] = [];

  /** Row `row` of the batch about to be appended has this text. */
  set(row: number, text: string): void {
    this.#next.push({ row, text });
  }

  append(_bytes: Buffer, _view: DataView, _at: Int32Array, _from: number, rows: number): void {
    let done = 0;
    for (const { row, text } of this.#next) {
      while (done < row) this.setNull(this.rows + done++);
      done = row + 1;
      const value = Buffer.from(text);
      this.reserve(value.length + 4);
      this.bytes.writeInt32LE(value.length, this.used);
      value.copy(this.bytes, this.used + 4);
      this.used += 4 + value.length;
    }
    while (done < rows) this.setNull(this.rows + done++);
    this.added(rows, this.#next.length);
    this.#next = [];
  }
}
