/** Which slots of a column hold a value, and the bytes that say so in a page. Invariant: a page begins where a row begins. */

import type { ColumnData } from './column-data.ts';
import { hybridBound, writeHybrid, writeRun } from './hybrid.ts';
import type { ParquetColumn } from './schema.ts';

export class Levels {
  /** Rows of a flat column; of a list: elements, empty lists and null lists. */
  readonly slots: number;
  /** One a slot; null when each slot holds a value. */
  readonly #definition: Uint8Array | null;
  /** The definition level of a value. */
  readonly #present: number;
  readonly #repetition: Uint8Array | null;

  constructor(column: ParquetColumn, data: ColumnData, rows: number) {
    this.#present = column.list ? 3 : 1;
    this.#definition = column.list ? data.levels!.definition : data.validity;
    this.#repetition = column.list ? data.levels!.repetition : null;
    this.slots = column.list ? data.levels!.slots : rows;
  }

  /** Values in the slots [from, to). */
  values(from: number, to: number): number {
    const definition = this.#definition;
    if (definition === null) return to - from;
    const present = this.#present;
    let count = 0;
    for (let i = from; i < to; i++) if (definition[i] === present) count++;
    return count;
  }

  /** The slot behind the `count`th value from slot `from` on. */
  reach(from: number, count: number): number {
    const definition = this.#definition;
    if (definition === null) return from + count;
    let slot = from;
    for (let seen = 0; seen < count; slot++) if (definition[slot] === this.#present) seen++;
    return slot;
  }

  /** Where a page that begins at `from` ends when it should end at `to`: there, or where a row begins near it. */
  cut(from: number, to: number): number {
    if (to >= this.slots) return this.slots;
    const repetition = this.#repetition;
    if (repetition === null) return to;
    let slot = to;
    while (slot > from && repetition[slot] !== 0) slot--;
    if (slot > from) return slot;
    // One row alone is longer than a page: the page takes it whole.
    slot = to;
    while (slot < this.slots && repetition[slot] !== 0) slot++;
    return slot;
  }

  /** The most bytes that `write` takes. */
  bound(from: number, to: number): number {
    const definition = this.#definition === null ? 12 : 4 + hybridBound(to - from, this.#present === 3 ? 2 : 1);
    return definition + (this.#repetition === null ? 0 : 4 + hybridBound(to - from, 1));
  }

  /** Writes the levels of the slots [from, to). Returns the position behind the last byte. */
  write(from: number, to: number, out: Buffer, at: number): number {
    let position = at;
    if (this.#repetition !== null) {
      const end = writeHybrid(this.#repetition, from, to, 1, out, position + 4);
      out.writeUInt32LE(end - position - 4, position);
      position = end;
    }
    const width = this.#present === 3 ? 2 : 1;
    const end =
      this.#definition === null
        ? writeRun(this.#present, to - from, width, out, position + 4)
        : writeHybrid(this.#definition, from, to, width, out, position + 4);
    out.writeUInt32LE(end - position - 4, position);
    return end;
  }
}
