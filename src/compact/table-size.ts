/** How large a staged table is, by its log. Pure. */

import type { Snapshot } from './delta/actions.ts';
import { parseStatistics } from './delta/statistics.ts';

/** Of each file; `rows` are physical ones. */
export function sizesOf(snapshot: Snapshot): { bytes: number; rows: number }[] {
  return [...snapshot.files.values()].map(({ size, stats }) => ({
    bytes: size,
    rows: parseStatistics(stats, [])?.rows ?? 0,
  }));
}

/** Rows that are in the table. */
export function rowsOf(snapshot: Snapshot): bigint {
  const gone = [...snapshot.files.values()].reduce((sum, file) => sum + (file.deletionVector?.cardinality ?? 0), 0);
  return BigInt(sizesOf(snapshot).reduce((sum, { rows }) => sum + rows, 0) - gone);
}
