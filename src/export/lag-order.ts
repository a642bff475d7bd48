/** The order in which tables are worked on. Pure. */

import type { Mark } from '../model/mark.ts';

/** `estimatedRows` 0: unknown, or the table is not there. */
export type Waiting = { mark: Pick<Mark, 'at'> | null; estimatedRows: number };

/**
 * The table that is furthest behind comes first. Tables without a mark follow, small before large: the first export of a huge
 * one would hold up every table that people follow, and nobody misses yet what never was in the lake. A full run of each
 * (`full`) is such a first export.
 */
export function byLag(full: boolean): (a: Waiting, b: Waiting) => number {
  return (a, b) => {
    const [behindA, behindB] = full ? [null, null] : [a.mark, b.mark];
    if (behindA && behindB) return behindA.at < behindB.at ? -1 : Number(behindA.at > behindB.at);
    if (behindA || behindB) return behindA ? -1 : 1;
    return a.estimatedRows - b.estimatedRows;
  };
}
