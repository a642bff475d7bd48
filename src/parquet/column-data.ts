/** The encoder's input: one column's values of a row group. Invariant: bytes as PLAIN has them, so that most are copied, not converted. */

export type ColumnData = {
  /**
   * PLAIN bytes of the present values, one after another: little-endian int32, int64, float, double; one byte 0 or 1 a boolean;
   * a 4-byte little-endian length and the bytes; or `width` bytes ('fixed': a decimal's big-endian two's complement).
   */
  values: Buffer;
  /** Present (not null) values. */
  count: number;
  /** `values` holds one value only, which each of the `count` present values repeats. */
  repeated?: boolean;
  /** One byte a row, 1 = present; null when no row is null. Always null for lists: see levels. */
  validity: Uint8Array | null;
  /**
   * Lists only: one entry a slot, which is an element, an empty list or a null list. Repetition is 0 where a row begins, else 1;
   * definition is 0 for a null list, 1 for an empty one, 2 for a null element, 3 for a value.
   */
  levels?: { repetition: Uint8Array; definition: Uint8Array; slots: number };
};
