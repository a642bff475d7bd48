/**
 * A column on its way from COPY fields to Parquet's PLAIN bytes. Invariant: every append adds exactly `rows` rows, and
 * values stand packed, nulls left out.
 */

import type { ColumnData } from '../../parquet/column-data.ts';

/**
 * Called for a value with no place in the lake's type. `row` counts within the batch; `text` renders the value as Postgres
 * prints it. Throws when the column's policy is to fail; else the builder writes NULL.
 */
export type Unfit = (row: number, text: () => string) => void;

/** A row group's worth of one column, and some room. Larger buffers are given back: one huge value must not be paid for until the end. */
const KEEP_BYTES = 36 << 20;
/** Up to this a buffer is kept however little of it was used. */
const SMALL_BYTES = 1 << 20;
const START_BYTES = 4096;
const NOTHING = Buffer.alloc(0);

export abstract class ColumnBuilder {
  /** Rows of the group so far. */
  protected rows = 0;
  /** Values of the group so far; rows less nulls. */
  protected count = 0;
  protected validity: Uint8Array | null = null;
  /** PLAIN bytes; `used` of them are filled. */
  protected bytes: Buffer = Buffer.allocUnsafeSlow(START_BYTES);
  protected used = 0;
  /** The last group's buffer, once it came back. */
  #spare: Buffer | null = null;
  /** Bytes that the last group took. */
  #expected = 0;

  /** Adds `rows` fields: the i-th stands at `at[from + i]` in `bytes`, -1 is NULL. `view` shows the same bytes. */
  abstract append(bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void;

  /** Hands the group's values over; the builder goes on with an empty group. */
  take(): ColumnData {
    const data: ColumnData = { values: this.bytes.subarray(0, this.used), count: this.count, validity: this.validity };
    if (this.validity && this.validity.length > this.rows) data.validity = this.validity.subarray(0, this.rows);
    this.rows = 0;
    this.count = 0;
    this.used = 0;
    this.validity = null;
    // Not before the next value: until then the buffer that was handed over has usually come back.
    this.bytes = NOTHING;
    this.moved();
    return data;
  }

  /** Takes back what take() handed over, once nobody reads it. */
  recycle(data: ColumnData): void {
    const { byteLength } = data.values.buffer;
    this.#expected = Math.min(data.values.length, KEEP_BYTES);
    // A buffer of which little was used belongs to a time when this column's values were longer.
    const fitting = byteLength <= KEEP_BYTES && (byteLength <= SMALL_BYTES || data.values.length * 4 >= byteLength);
    this.#spare = fitting ? Buffer.from(data.values.buffer) : null;
  }

  /** Where the column stands, for rollback(). */
  position(): { rows: number; count: number; used: number } {
    return { rows: this.rows, count: this.count, used: this.used };
  }

  /** Forgets what was appended since `position` was taken, in the same group. */
  rollback(position: { rows: number; count: number; used: number }): void {
    this.rows = position.rows;
    this.count = position.count;
    this.used = position.used;
    this.validity?.fill(1, this.rows);
  }

  /** Makes room for `more` bytes behind `used`. */
  protected reserve(more: number): void {
    const need = this.used + more;
    if (need <= this.bytes.length) return;
    if (this.bytes.length === 0 && this.#spare) {
      this.bytes = this.#spare;
      this.#spare = null;
    }
    if (need > this.bytes.length) {
      const roomy = Math.min(Math.max(Math.ceil(this.bytes.length * 1.6), this.#expected, START_BYTES), KEEP_BYTES);
      const grown = Buffer.allocUnsafeSlow(Math.max(need, roomy));
      this.bytes.copy(grown, 0, 0, this.used);
      this.bytes = grown;
    }
    this.moved();
  }

  /** `bytes` is another buffer now: views on it must follow. */
  protected moved(): void {}

  /** Notes that row `row` of the group is NULL. */
  protected setNull(row: number): void {
    if (!this.validity || row >= this.validity.length) {
      const grown = new Uint8Array(Math.max(1024, (row + 1) * 2)).fill(1);
      if (this.validity) grown.set(this.validity);
      this.validity = grown;
    }
    this.validity[row] = 0;
  }

  /** Ends an append: the validity, if there is one, covers all rows. */
  protected added(rows: number, present: number): void {
    this.rows += rows;
    this.count += present;
    if (this.validity && this.validity.length < this.rows) {
      const grown = new Uint8Array(this.rows * 2).fill(1);
      grown.set(this.validity);
      this.validity = grown;
    }
  }
}
