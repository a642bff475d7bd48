/** A range of cursor values as somebody typed it. Pure data. */

import type { Micros } from './mark.ts';

/** One end. `zoned`: it was typed with a zone; without one an instant is UTC, and a wall clock is taken as it was typed. */
export type Bound = { typed: string } & (
  | { kind: 'instant'; at: Micros; zoned: boolean }
  | { kind: 'number'; at: bigint }
);

/** From `since` up to, but not including, `until`; null: to the end. */
export type Range = { since: Bound; until: Bound | null };
