/** Working arrays that a table's groups share. Invariant: used within one synchronous step only, so nothing in them outlives it. */

export class Scratch {
  /** A dictionary index a value. */
  indices = new Uint16Array(0);
  /** The dictionary's hash table: an index, or -1. */
  slots = new Int32Array(0);
  /** Integers as doubles, for the delta encoding. */
  numbers = new Float64Array(0);
  /** Where each string begins, and where the last one ends. */
  offsets = new Float64Array(0);

  indicesFor(count: number): Uint16Array {
    if (this.indices.length < count) this.indices = new Uint16Array(count);
    return this.indices;
  }

  /** An empty table of `capacity` slots. */
  slotsFor(capacity: number): Int32Array {
    if (this.slots.length < capacity) this.slots = new Int32Array(capacity);
    return this.slots.fill(-1, 0, capacity);
  }

  numbersFor(count: number): Float64Array {
    if (this.numbers.length < count) this.numbers = new Float64Array(count);
    return this.numbers;
  }

  offsetsFor(count: number): Float64Array {
    if (this.offsets.length < count) this.offsets = new Float64Array(count);
    return this.offsets;
  }
}
