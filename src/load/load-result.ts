/** What became of a load. Pure. */

import type { TidemarkError } from '../model/error.ts';
import type { BatchOutcome, DropOutcome } from './target/outcome.ts';

/** A drop that people should look at. */
export type BadDrop = { key: string; rowsIn: number; rejected: number; dead: string | null };

export type LoadTotals = {
  /** Listed, and of these loaded before or being loaded by another process. */
  listed: number;
  known: number;
  /** Taken by this process, dead ones among them. */
  drops: number;
  deadDrops: number;
  goneDrops: number;
  overwrittenDrops: number;
  /** Packed. */
  bytes: number;
  rowsIn: number;
  /** Went into the target, or were there: `rowsKnown` of them. */
  rowsOut: number;
  rowsFiltered: number;
  rowsRejected: number;
  rowsKnown: number;
  /** The worst first. */
  bad: BadDrop[];
};

export type LoadResult = { load: string; seconds: number; totals: LoadTotals } & (
  | { state: 'loaded' | 'nothing' }
  | { state: 'failed'; error: TidemarkError }
);

const MOST_BAD = 20;

export function noTotals(): LoadTotals {
  return {
    listed: 0,
    known: 0,
    drops: 0,
    deadDrops: 0,
    goneDrops: 0,
    overwrittenDrops: 0,
    bytes: 0,
    rowsIn: 0,
    rowsOut: 0,
    rowsFiltered: 0,
    rowsRejected: 0,
    rowsKnown: 0,
    bad: [],
  };
}

/** Adds a committed batch. */
export function addOutcome(totals: LoadTotals, { drops }: BatchOutcome): void {
  for (const drop of drops) addDrop(totals, drop);
}

function addDrop(totals: LoadTotals, drop: DropOutcome): void {
  if (drop.state === 'gone') totals.goneDrops++;
  if (drop.state === 'lost') totals.known++;
  if (drop.state === 'gone' || drop.state === 'lost') return;
  const { key, bytes, overwritten, counts } = drop;
  totals.drops++;
  if (drop.state === 'dead') totals.deadDrops++;
  if (overwritten) totals.overwrittenDrops++;
  totals.bytes += bytes;
  totals.rowsIn += counts.rowsIn;
  totals.rowsOut += counts.rowsOut;
  totals.rowsFiltered += counts.filtered;
  totals.rowsRejected += counts.rejected;
  totals.rowsKnown += counts.known;
  if (drop.state !== 'dead' && counts.rejected === 0) return;
  const dead = drop.state === 'dead' ? drop.reason : null;
  totals.bad.push({ key, rowsIn: counts.rowsIn, rejected: counts.rejected, dead });
  if (totals.bad.length >= 2 * MOST_BAD) totals.bad = worst(totals.bad);
}

/** Dead ones first, then by rejects. */
export function worst(bad: BadDrop[]): BadDrop[] {
  const rank = ({ dead, rejected }: BadDrop) => (dead === null ? rejected : Number.POSITIVE_INFINITY);
  return bad.toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a))).slice(0, MOST_BAD);
}
