/** Counts of values without a place in the lake, from parts of a run. Pure. */

import type { UnfitCounts } from '../model/run.ts';

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
