/** Booleans, integers and floats: big-endian on the wire, little-endian in Parquet. */

import type { ColumnData } from '../../parquet/column-data.ts';
import { ColumnBuilder } from './column-builder.ts';

/** Values of four bytes. */
abstract class Words extends ColumnBuilder {
  protected words = new Int32Array(this.bytes.buffer);

  protected override moved(): void {
    this.words = new Int32Array(this.bytes.buffer, 0, this.bytes.length >> 2);
  }
}

export class BooleanBuilder extends ColumnBuilder {
  append(bytes: Buffer, _view: DataView, at: Int32Array, from: number, rows: number): void {
    this.reserve(rows);
    const out = this.bytes;
    let used = this.used;
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      if (p < 0) this.setNull(this.rows + i);
      else out[used++] = bytes[p];
    }
    this.added(rows, used - this.used);
    this.used = used;
  }
}

/** int2 to 32 bits. */
export class Int16Builder extends Words {
  append(_bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void {
    this.reserve(rows * 4);
    const first = this.used >> 2;
    let n = first;
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      if (p < 0) this.setNull(this.rows + i);
      else this.words[n++] = view.getInt16(p);
    }
    this.added(rows, n - first);
    this.used = n * 4;
  }
}

/** int4 and float4: four bytes as they are. */
export class Int32Builder extends Words {
  append(_bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void {
    this.reserve(rows * 4);
    const out = this.words;
    const first = this.used >> 2;
    let n = first;
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      if (p < 0) this.setNull(this.rows + i);
      else out[n++] = view.getInt32(p);
    }
    this.added(rows, n - first);
    this.used = n * 4;
  }
}

/** int8 and float8: eight bytes as two words, never a BigInt. */
export class Int64Builder extends Words {
  append(_bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void {
    this.reserve(rows * 8);
    const out = this.words;
    const first = this.used >> 2;
    let n = first;
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      if (p < 0) this.setNull(this.rows + i);
      else {
        out[n + 1] = view.getInt32(p);
        out[n] = view.getInt32(p + 4);
        n += 2;
      }
    }
    this.added(rows, (n - first) >> 1);
    this.used = n * 4;
  }
}

/** Narrower integers in a column of 64 bits: oid, xid, cid (unsigned), and int2 or int4 where the lake's type is long. */
export class WidenedInt64Builder extends Words {
  readonly #from: 'int16' | 'int32' | 'uint32';

  constructor(from: 'int16' | 'int32' | 'uint32') {
    super();
    this.#from = from;
  }

  append(_bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void {
    this.reserve(rows * 8);
    const first = this.used >> 2;
    let n = first;
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      if (p < 0) {
        this.setNull(this.rows + i);
        continue;
      }
      const low = this.#from === 'int16' ? view.getInt16(p) : view.getInt32(p);
      this.words[n] = low;
      this.words[n + 1] = this.#from !== 'uint32' && low < 0 ? -1 : 0;
      n += 2;
    }
    this.added(rows, (n - first) >> 1);
    this.used = n * 4;
  }
}

/** float4 in a column of doubles: exact, every float is a double. */
export class WidenedDoubleBuilder extends ColumnBuilder {
  append(_bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void {
    this.reserve(rows * 8);
    let used = this.used;
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      if (p < 0) this.setNull(this.rows + i);
      else {
        this.bytes.writeDoubleLE(view.getFloat32(p), used);
        used += 8;
      }
    }
    this.added(rows, (used - this.used) >> 3);
    this.used = used;
  }
}

/** One value for every row: what tidemark adds to the source's columns. `plain` is the value's PLAIN bytes. */
export function constantColumn(plain: Buffer, rows: number): ColumnData {
  return { values: plain, count: rows, repeated: true, validity: null };
}
