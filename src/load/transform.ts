/** What the author of a transform writes against: `export const transform: Transform = (row) => …`. Types only. */

/** A value of an event. A whole number beyond 2^53 comes as bigint, any other that a JavaScript number would change as its digits. */
export type Value = string | number | bigint | boolean | null | Value[] | { [name: string]: Value };

/** What a row may hold on its way out; a Date becomes its ISO text, undefined is no value. */
export type LoadedValue = Value | Date | undefined | LoadedValue[] | { [name: string]: LoadedValue };

export type TransformContext = {
  /** The drop's key. */
  drop: string;
  /** From 1, in the unpacked drop. */
  line: number;
};

/**
 * From a parsed row to none (null, undefined, []), one or more rows; `columns` then takes its values from them. Called for each row in turn, in
 * several threads: it must not be async. What it throws makes the row a reject with that message.
 */
export type Transform<Row extends Record<string, Value> = Record<string, Value>> = (
  row: Row,
  context: TransformContext,
) => Record<string, LoadedValue> | Record<string, LoadedValue>[] | null | undefined;
