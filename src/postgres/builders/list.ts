/**
 * One-dimensional arrays as Parquet lists. Invariant: a row's elements are all taken or none: an array with an element, a
 * dimension or a lower bound that has no place in the lake is unfit as a whole.
 * Wire: array_send in Postgres's arrayfuncs.c.
 */

import type { Wire } from '../../model/column-type.ts';
import type { ColumnData } from '../../parquet/column-data.ts';
import { fieldText } from '../field-text.ts';
import { ColumnBuilder, type Unfit } from './column-builder.ts';

/** Definition levels of an optional list of optional elements. */
const NULL_LIST = 0;
const EMPTY_LIST = 1;
const NULL_ELEMENT = 2;
const ELEMENT = 3;
const ELEMENTS_AT = 20;

export class ListBuilder extends ColumnBuilder {
  readonly #wire: Wire;
  readonly #unfit: Unfit;
  readonly #element: ColumnBuilder;
  #elementUnfit = false;
  #at = new Int32Array(64);
  #repetition = new Uint8Array(1024);
  #definition = new Uint8Array(1024);
  #slots = 0;

  /** `element` makes the builder of the elements, given what to do with one that does not fit. */
  constructor(wire: Wire, element: (unfit: Unfit) => ColumnBuilder, unfit: Unfit) {
    super();
    this.#wire = wire;
    this.#unfit = unfit;
    this.#element = element(() => {
      this.#elementUnfit = true;
    });
  }

  append(bytes: Buffer, view: DataView, at: Int32Array, from: number, rows: number): void {
    for (let i = 0; i < rows; i++) {
      const p = at[from + i];
      if (p < 0) this.#slot(0, NULL_LIST);
      else if (view.getInt32(p) === 0) this.#slot(0, EMPTY_LIST);
      else if (!this.#elements(bytes, view, p)) {
        this.#unfit(i, () => fieldText({ array: this.#wire }, bytes, view, p) as string);
        this.#slot(0, NULL_LIST);
      }
    }
    this.rows += rows;
  }

  /** Takes the array at `p`; false when it has no place, and then nothing was taken. */
  #elements(bytes: Buffer, view: DataView, p: number): boolean {
    if (view.getInt32(p) !== 1 || view.getInt32(p + 16) !== 1) return false;
    const size = view.getInt32(p + 12);
    if (this.#at.length < size) this.#at = new Int32Array(size * 2);
    let q = p + ELEMENTS_AT;
    for (let i = 0; i < size; i++) {
      const length = view.getInt32(q);
      q += 4;
      this.#at[i] = length < 0 ? -1 : q;
      if (length > 0) q += length;
    }
    const before = this.#element.position();
    this.#elementUnfit = false;
    this.#element.append(bytes, view, this.#at, 0, size);
    if (this.#elementUnfit) {
      this.#element.rollback(before);
      return false;
    }
    for (let i = 0; i < size; i++) this.#slot(i === 0 ? 0 : 1, this.#at[i] < 0 ? NULL_ELEMENT : ELEMENT);
    return true;
  }

  #slot(repetition: number, definition: number): void {
    if (this.#slots === this.#definition.length) {
      this.#repetition = grown(this.#repetition);
      this.#definition = grown(this.#definition);
    }
    this.#repetition[this.#slots] = repetition;
    this.#definition[this.#slots++] = definition;
  }

  override take(): ColumnData {
    const element = this.#element.take();
    const data: ColumnData = {
      values: element.values,
      count: element.count,
      validity: null,
      levels: {
        repetition: this.#repetition.slice(0, this.#slots),
        definition: this.#definition.slice(0, this.#slots),
        slots: this.#slots,
      },
    };
    this.#slots = 0;
    this.rows = 0;
    return data;
  }

  override recycle(data: ColumnData): void {
    this.#element.recycle(data);
  }
}

function grown(levels: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(levels.length * 2);
  larger.set(levels);
  return larger;
}
