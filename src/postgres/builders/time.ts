/** Dates, timestamps and times of day. Invariant: what Parquet cannot hold (infinity, BC, years above 9999) is seen one value at a time. */

import { dateText, EPOCH_DAYS, EPOCH_MICROS, timestampText, zoneText } from '../render.ts';
import { ColumnBuilder, type Unfit } from './column-builder.ts';

const MIN_DAYS = -719_162; // 0001-01-01
const MAX_DAYS = 2_932_896; // 9999-12-31
const MIN_MICROS = -62_135_596_800_000_000n;
const MAX_MICROS = 253_402_300_799_999_999n;

const EPOCH_LOW = Number(EPOCH_MICROS & 0xffff_ffffn);
const EPOCH_HIGH = Number(EPOCH_MICROS >> 32n);
const MIN_HIGH = Number(MIN_MICROS >> 32n);
const MAX_HIGH = Number(MAX_MICROS >> 32n);

/** date: days since 1970-01-01. */
export class DateBuilder extends ColumnBuilder {
  readonly #unfit: Unfit;

  constructor(unfit: Unfit) {
    super();
    this.#unfit = unfit;
  }

  append(_bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void {
    this.reserve(rows * 4);
    const out = this.bytes;
    let used = this.used;
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      if (p < 0) {
        this.setNull(this.rows + i);
        continue;
      }
      const wire = view.getInt32(p);
      const days = wire + EPOCH_DAYS;
      if (days < MIN_DAYS || days > MAX_DAYS) {
        this.#unfit(i, () => dateText(wire));
        this.setNull(this.rows + i);
        continue;
      }
      out.writeInt32LE(days, used);
      used += 4;
    }
    this.added(rows, (used - this.used) >> 2);
    this.used = used;
  }
}

/** timestamp and timestamptz: microseconds since 1970-01-01, added as two words: a BigInt a value would cost more than the rest. */
export class TimestampBuilder extends ColumnBuilder {
  readonly #unfit: Unfit;
  readonly #utc: boolean;
  #words = new Int32Array(this.bytes.buffer);

  constructor(utc: boolean, unfit: Unfit) {
    super();
    this.#utc = utc;
    this.#unfit = unfit;
  }

  protected override moved(): void {
    this.#words = new Int32Array(this.bytes.buffer, 0, this.bytes.length >> 2);
  }

  append(_bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void {
    this.reserve(rows * 8);
    const out = this.#words;
    const first = this.used >> 2;
    let n = first;
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      if (p < 0) {
        this.setNull(this.rows + i);
        continue;
      }
      const low = view.getUint32(p + 4) + EPOCH_LOW;
      // Infinity overflows here; as a plain number it stays far outside of the range.
      const high = view.getInt32(p) + EPOCH_HIGH + (low > 0xffff_ffff ? 1 : 0);
      if ((high <= MIN_HIGH || high >= MAX_HIGH) && this.#outside(view, p)) {
        this.#unfit(i, () => timestampText(view.getBigInt64(p), this.#utc));
        this.setNull(this.rows + i);
        continue;
      }
      out[n] = low;
      out[n + 1] = high;
      n += 2;
    }
    this.added(rows, (n - first) >> 1);
    this.used = n * 4;
  }

  #outside(view: DataView, p: number): boolean {
    const micros = view.getBigInt64(p) + EPOCH_MICROS;
    return micros < MIN_MICROS || micros > MAX_MICROS;
  }
}

/** time and timetz as `HH:MM:SS.ffffff`, with `+HH[:MM[:SS]]` behind it for timetz: sorts as text, and 24:00:00 exists. */
export class TimeBuilder extends ColumnBuilder {
  readonly #zoned: boolean;

  constructor(zoned: boolean) {
    super();
    this.#zoned = zoned;
  }

  append(_bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void {
    let present = 0;
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      if (p < 0) {
        this.setNull(this.rows + i);
        continue;
      }
      this.reserve(32);
      const text = sortableTime(Number(view.getBigInt64(p))) + (this.#zoned ? zoneText(view.getInt32(p + 8)) : '');
      this.bytes.writeInt32LE(text.length, this.used);
      this.bytes.write(text, this.used + 4, 'latin1');
      this.used += 4 + text.length;
      present++;
    }
    this.added(rows, present);
  }
}

const two = (n: number) => String(n).padStart(2, '0');

function sortableTime(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000);
  const fraction = String(micros % 1_000_000).padStart(6, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${fraction}`;
}
