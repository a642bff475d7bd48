/** Follows the cursor column through a run: its greatest value, for people, and how many rows came late. */

import type { Mark } from '../model/mark.ts';
import type { ColumnData } from '../parquet/column-data.ts';
import type { CursorType } from '../postgres/changed-rows.ts';
import { dateText, EPOCH_DAYS, instantText, parseInstant } from '../postgres/render.ts';

const DAY_MICROS = 86_400_000_000n;
/** No wall clock on earth is further ahead of UTC. */
const FURTHEST_AHEAD = 14n * 3_600_000_000n;

export class CursorTracker {
  readonly #type: CursorType;
  /** A row below it is late; microseconds, or days for a date. */
  readonly #lateBelow: bigint | null;
  #greatest: bigint | null;
  lateRows = 0n;

  constructor(type: CursorType, previous: Mark | null) {
    this.#type = type;
    this.#greatest = previous?.watermark == null ? null : this.#parsed(previous.watermark);
    this.#lateBelow = previous && this.#lateBound(previous);
  }

  /** Null: of a cursor of another type. */
  #parsed(watermark: string): bigint | null {
    const counted = /^-?\d+$/.test(watermark);
    if (counted !== (this.#type === 'bigint')) return null;
    return counted ? BigInt(watermark) : this.#units(parseInstant(watermark));
  }

  #units(micros: bigint): bigint {
    if (this.#type !== 'date') return micros;
    return micros >= 0n ? micros / DAY_MICROS : -((-micros + DAY_MICROS - 1n) / DAY_MICROS);
  }

  /** A wall clock cannot be compared with the snapshot's: there the watermark stands in, unless somebody dated it into the future. */
  #lateBound(previous: Mark): bigint | null {
    if (this.#type === 'timestamptz') return previous.at;
    if (this.#type === 'bigint') return this.#greatest;
    const latest = this.#units(previous.at + FURTHEST_AHEAD);
    if (this.#greatest === null) return null;
    return this.#greatest < latest ? this.#greatest : latest;
  }

  /** The cursor column of a group, in PLAIN: int32 days or counts, int64 microseconds or counts. */
  add(data: ColumnData): void {
    if (this.#isNarrow(data)) this.#addDays(data);
    else this.#addMicros(data);
  }

  #isNarrow({ values, count }: ColumnData): boolean {
    return values.byteLength < count * 8 || this.#type === 'date';
  }

  #addMicros({ values, count }: ColumnData): void {
    const words = new Int32Array(values.buffer, values.byteOffset, count * 2);
    let [high, low] = [-0x8000_0000, 0];
    const late = this.#lateBelow;
    const [lateHigh, lateLow] = late === null ? [-0x8000_0000, 0] : [Number(late >> 32n), Number(late & 0xffff_ffffn)];
    let lateRows = 0;
    for (let i = 0; i < count * 2; i += 2) {
      const h = words[i + 1];
      const l = words[i] >>> 0;
      if (h > high || (h === high && l > low)) [high, low] = [h, l];
      if (h < lateHigh || (h === lateHigh && l < lateLow)) lateRows++;
    }
    this.lateRows += BigInt(lateRows);
    if (count > 0) this.#raise((BigInt(high) << 32n) | BigInt(low));
  }

  #addDays({ values, count }: ColumnData): void {
    const days = new Int32Array(values.buffer, values.byteOffset, count);
    const late = this.#lateBelow === null ? Number.NEGATIVE_INFINITY : Number(this.#lateBelow);
    let [greatest, lateRows] = [Number.NEGATIVE_INFINITY, 0];
    for (const day of days) {
      if (day > greatest) greatest = day;
      if (day < late) lateRows++;
    }
    this.lateRows += BigInt(lateRows);
    if (count > 0) this.#raise(BigInt(greatest));
  }

  #raise(value: bigint): void {
    if (this.#greatest === null || value > this.#greatest) this.#greatest = value;
  }

  /** As Postgres prints it in UTC; null while there is none. */
  get watermark(): string | null {
    if (this.#greatest === null) return null;
    if (this.#type === 'bigint') return String(this.#greatest);
    if (this.#type === 'date') return dateText(Number(this.#greatest) - EPOCH_DAYS);
    return instantText(this.#greatest, this.#type === 'timestamptz');
  }
}
