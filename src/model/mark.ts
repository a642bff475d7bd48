/**
 * The mark: what the next run starts from.
 * Invariant: every row version that is not exported yet has an id that the mark's xmin and seen set leave open, and a
 * cursor value at or above its floor.
 */

import type { Step } from './trail.ts';

/** Microseconds since 1970-01-01 UTC, exact. */
export type Micros = bigint;

/** 64-bit transaction ids from `from` up to, but not including, `to`. */
export type IdRange = { from: bigint; to: bigint };

/** A partition that holds rows, or a table that has none. `filenode` changes with TRUNCATE and whatever writes all rows anew. */
export type Leaf = { oid: number; filenode: number };

/**
 * Which rows of a leaf a run brings. `all`: every row, as a first run would (it is new); `ids`: what changed, the cursor is not
 * asked (it was written anew); `changed`: what changed.
 */
export type LeafRule = 'all' | 'ids' | 'changed';

/** Whose transaction ids a mark speaks of, and how far they were. Null: the server did not tell; what is unknown never counts as changed. */
export type History = { system: string | null; timeline: number | null; lsn: bigint | null; xmax: bigint };

export type Mark = {
  /** The snapshot's xmin: every id below it was finished, and what it wrote is exported. */
  xmin: bigint;
  /** Ids at or above xmin whose rows are exported already: sorted, disjoint, never touching. */
  seen: IdRange[];
  /** No row committed after the snapshot has a cursor below this instant; null: unknown, the next run goes without a prefilter. */
  floor: Micros | null;
  /** The greatest cursor value exported, as Postgres prints it in UTC; null: none yet. */
  watermark: string | null;
  /** The snapshot's clock. */
  at: Micros;
  /** Prepared transactions that were open, each with the floor of the run that first saw it (null: unknown). */
  prepared: { id: bigint; floor: Micros | null }[];
  /** What held the table's rows, by oid; null: a run before they were noted left this mark. */
  leaves: Leaf[] | null;
  /** Null: likewise. */
  history: History | null;
  /** Since a run that found another history: what the lake holds may be more than the source. A full run ends it. */
  doubt: { at: Micros; why: string } | null;
  /** Of a counted cursor: its values at instants that the floor has not passed yet, and at the last that it has. */
  trail: Step[];
};
