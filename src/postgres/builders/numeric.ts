/**
 * numeric to DECIMAL: the wire's base-10000 digits straight into a scaled integer of 4, 8 or 16 bytes.
 * Invariant: a value arrives exactly or is unfit; nothing is ever rounded.
 * Wire: numeric_send in Postgres's numeric.c: int16 digit count, weight, sign, display scale, then the digits.
 */

import { numericText } from '../render.ts';
import { ColumnBuilder, type Unfit } from './column-builder.ts';

const NEGATIVE = 0x4000;
const POSITIVE = 0;
/** Decimal digits that a double holds exactly, whatever they are. */
const SAFE_DIGITS = 15;
/** Four base-10000 digits stay below 2^53 when the first is below this. */
const SAFE_FIRST_OF_FOUR = 9000;
const POWERS = Array.from({ length: 23 }, (_, i) => 10 ** i);

export class DecimalBuilder extends ColumnBuilder {
  readonly #precision: number;
  readonly #scale: number;
  readonly #width: 4 | 8 | 16;
  readonly #unfit: Unfit;
  readonly #limit: bigint;
  readonly #limitNumber: number;

  constructor(precision: number, scale: number, unfit: Unfit) {
    super();
    this.#precision = precision;
    this.#scale = scale;
    this.#width = precision <= 9 ? 4 : precision <= 18 ? 8 : 16;
    this.#unfit = unfit;
    this.#limit = 10n ** BigInt(precision);
    this.#limitNumber = 10 ** precision;
  }

  append(_bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void {
    this.reserve(rows * this.#width);
    const scale = this.#scale;
    const start = this.used;
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      if (p < 0) {
        this.setNull(this.rows + i);
        continue;
      }
      const digits = view.getInt16(p);
      const sign = view.getUint16(p + 4);
      // The last digit counts 10000^(weight - digits + 1): `shift` decimal places lie between it and the column's scale.
      const shift = (view.getInt16(p + 2) - digits + 1) * 4 + scale;
      const safe =
        digits * 4 + (shift > 0 ? shift : 0) <= SAFE_DIGITS ||
        (digits === 4 && shift <= 0 && view.getInt16(p + 8) < SAFE_FIRST_OF_FOUR);
      if (safe && (sign === POSITIVE || sign === NEGATIVE)) {
        let value = 0;
        for (let k = 0, q = p + 8; k < digits; k++, q += 2) value = value * 10000 + view.getInt16(q);
        if (shift > 0) value *= POWERS[shift];
        else if (shift < 0) {
          const power = shift > -23 ? POWERS[-shift] : Number.POSITIVE_INFINITY;
          // Zeros only may fall off the end: digits below the column's scale would be lost.
          if (value % power !== 0) {
            this.#skip(i, view, p);
            continue;
          }
          value /= power;
        }
        if (value >= this.#limitNumber) this.#skip(i, view, p);
        else this.#putNumber(sign === NEGATIVE ? -value : value);
      } else this.#slow(i, view, p, digits, shift, sign);
    }
    this.added(rows, (this.used - start) / this.#width);
  }

  #skip(row: number, view: DataView, p: number): void {
    this.#unfit(row, () => numericText(view, p));
    this.setNull(this.rows + row);
  }

  /** An integer below 2^53. */
  #putNumber(value: number): void {
    const out = this.bytes;
    const used = this.used;
    if (this.#width === 4) out.writeInt32LE(value, used);
    else {
      const high = Math.floor(value / 4_294_967_296);
      const low = value >>> 0;
      if (this.#width === 8) {
        out[used] = low;
        out[used + 1] = low >>> 8;
        out[used + 2] = low >>> 16;
        out[used + 3] = low >>> 24;
        out[used + 4] = high;
        out[used + 5] = high >> 8;
        out[used + 6] = high >> 16;
        out[used + 7] = high >> 24;
      } else {
        out.fill(value < 0 ? 255 : 0, used, used + 8);
        out.writeInt32BE(high, used + 8);
        out.writeUInt32BE(low, used + 12);
      }
    }
    this.used = used + this.#width;
  }

  #slow(row: number, view: DataView, p: number, digits: number, shift: number, sign: number): void {
    const magnitude = sign === POSITIVE || sign === NEGATIVE ? this.#scaled(view, p, digits, shift) : null;
    if (magnitude === null) {
      this.#skip(row, view, p);
      return;
    }
    const value = sign === NEGATIVE ? -magnitude : magnitude;
    const out = this.bytes;
    if (this.#width === 4) out.writeInt32LE(Number(value), this.used);
    else if (this.#width === 8) out.writeBigInt64LE(value, this.used);
    else {
      out.writeBigInt64BE(value >> 64n, this.used);
      out.writeBigUInt64BE(value & 0xffff_ffff_ffff_ffffn, this.used + 8);
    }
    this.used += this.#width;
  }
  /** The value without its sign as a scaled integer, or null when it has no place in the column. */
  #scaled(view: DataView, p: number, digits: number, shift: number): bigint | null {
    let value = 0n;
    for (let k = 0; k < digits; k++) value = value * 10000n + BigInt(view.getInt16(p + 8 + k * 2));
    // No precision reaches this far: without the look ahead a hostile 1e131071 would be raised to its power first.
    if (value !== 0n && shift > this.#precision) return null;
    if (shift > 0) value *= 10n ** BigInt(shift);
    else if (shift < 0) {
      const power = 10n ** BigInt(-shift);
      if (value % power !== 0n) return null;
      value /= power;
    }
    return value < this.#limit ? value : null;
  }
}
