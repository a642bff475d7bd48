/** Counts of values without a place in the lake, added up: of a run's parts, and of a table's runs. Pure. */

import type { UnfitCounts } from './run.ts';

export function addedUp(parts: UnfitCounts[]): UnfitCounts {
  const sum: UnfitCounts = {};
  for (const unfit of parts) {
    for (const [column, counts] of Object.entries(unfit)) {
      const all = sum[column] ?? {};
      sum[column] = all;
      for (const [what, count] of Object.entries(counts) as ['null' | 'text', number][])
        all[what] = (all[what] ?? 0) + count;
    }
  }
  return sum;
}
