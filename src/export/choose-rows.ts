/**
 * Which rows a run brings, from the last mark and from what the table and the server are now. Pure.
 * Invariant: a mark's ids are compared with those of the history that they come from, and its floor counts only for
 * partitions that were there when it was set and were not written anew since.
 */

import { historyChange } from '../model/history.ts';
import type { History, Leaf, LeafRule, Mark } from '../model/mark.ts';

export type Choice = {
  /** Every row, as a first run. */
  full: boolean;
  /** What the rows are compared with; null exactly when full. */
  since: Mark | null;
  /** Partitions that are read by another rule than the rest. */
  apart: { leaf: Leaf; rule: Exclude<LeafRule, 'changed'> }[];
  /** What the next mark is made from. */
  base: Mark | null;
  /** Why the mark's ids mean nothing here; null: they do. */
  changed: string | null;
  doubt: Mark['doubt'];
  /** For the next mark: what the server did not tell this time stays as it was. */
  history: History;
};

export type Situation = {
  previous: Mark | null;
  /** The user wants every row. */
  full: boolean;
  leaves: Leaf[];
  /** The table's own oid; absent: it is among the leaves. */
  root?: number;
  history: History;
  /** The snapshot's clock. */
  at: bigint;
  hasCursor: boolean;
  /** The cursor is counted (bigint): its floor comes of the mark's trail. */
  counts?: boolean;
};

/** Beyond so many, a branch of the query for each would cost more than a scan. */
const MOST_APART = 50;

export function chooseRows(situation: Situation): Choice {
  const { previous, full, leaves, root, history: now, at, hasCursor, counts = false } = situation;
  const changed = previous?.history ? historyChange(previous.history, now) : null;
  const history = changed === null && previous?.history ? completed(now, previous.history) : now;
  // Ids, and what is known of prepared ones, belong to the other history; so does its clock.
  const base = changed === null ? previous : null;
  // Whatever was wrong with a count, a full run begins it anew.
  const whole: Choice = {
    full: true,
    since: null,
    apart: [],
    base: base && uncounted(base),
    changed,
    doubt: null,
    history,
  };
  if (previous === null || full) return whole;
  // Of a partitioned table all partitions can be new while the lake is to keep what the old ones held.
  const ownRows = root === undefined || leaves.some(({ oid }) => oid === root);
  const replaced = isReplaced(previous.leaves, leaves);
  if (replaced && (ownRows || changed !== null)) return whole;
  const byFloor = hasCursor && previous.floor !== null;
  // A count may go on from an older number on another server.
  if (changed !== null && (counts || !byFloor)) return whole;
  const since = changed === null ? previous : { ...previous, xmin: 0n, seen: [] };
  const doubt = changed === null ? previous.doubt : { at, why: changed };
  const part: Choice = { full: false, since, apart: [], base, changed, doubt, history };
  const known = new Map(previous.leaves?.map(({ oid, filenode }) => [oid, filenode]));
  const isNew = ({ oid }: Leaf) => previous.leaves !== null && !known.has(oid);
  // On another system the same file has another number.
  const sameSystem = previous.history?.system == null || previous.history.system === now.system;
  const isRewritten = ({ oid, filenode }: Leaf) => sameSystem && known.has(oid) && known.get(oid) !== filenode;
  const added = leaves.filter(isNew).map((leaf) => ({ leaf, rule: 'all' as const }));
  const rewritten = byFloor ? leaves.filter(isRewritten).map((leaf) => ({ leaf, rule: 'ids' as const })) : [];
  // TRUNCATE … RESTART IDENTITY: small numbers are new again.
  if (changed === null && (rewritten.length > 0 || replaced) && (counts || previous.trail.length > 0)) {
    const anew = uncounted(previous);
    return { ...part, since: { ...anew, floor: null }, apart: added, base: anew };
  }
  const all = rewritten.length > 0 && rewritten.length + added.length === leaves.length;
  if (rewritten.length <= MOST_APART && !all) return { ...part, apart: [...added, ...rewritten] };
  return changed === null ? { ...part, since: { ...since, floor: null }, apart: added } : whole;
}

/** The mark without what was counted before. */
export function uncounted(mark: Mark): Mark {
  return mark.trail.length === 0 ? mark : { ...mark, trail: [], watermark: null };
}

function completed(now: History, before: History): History {
  return {
    system: now.system ?? before.system,
    timeline: now.timeline ?? before.timeline,
    lsn: now.lsn ?? before.lsn,
    xmax: now.xmax,
  };
}

/** Nothing is left of what the mark speaks of: the table was dropped and made again, or another has its name now. */
function isReplaced(before: Leaf[] | null, now: Leaf[]): boolean {
  if (before === null || now.length === 0) return false;
  const known = new Set(before.map(({ oid }) => oid));
  return !now.some(({ oid }) => known.has(oid));
}
