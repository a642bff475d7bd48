/** The key of a row that is still in COPY's bytes, for errors and samples. Not for the hot path. */

import { fieldText } from '../postgres/field-text.ts';
import type { ColumnPlan } from './column-plan.ts';

/** Rows as TupleBatches hands them over. */
export type Batch = { bytes: Buffer; view: DataView; at: Int32Array; stride: number };

/** `a=1, b=2`; undefined where the table has no key. */
export function rowKey(
  { columns, key }: ColumnPlan,
  { bytes, view, at, stride }: Batch,
  row: number,
): string | undefined {
  const parts = key.map((index) => {
    const { source, wire } = columns[index];
    return `${source}=${fieldText(wire, bytes, view, at[index * stride + row]) ?? 'NULL'}`;
  });
  return parts.length > 0 ? parts.join(', ') : undefined;
}
