/** The mark that a run leaves, from what it saw. Pure. The rules and the failure behind each: docs/how-it-works.md. */

import { TidemarkError } from '../model/error.ts';
import { historyChange } from '../model/history.ts';
import { atOrAbove, normalize, rangesOf } from '../model/id-ranges.ts';
import type { History, Mark, Micros } from '../model/mark.ts';
import { nextTrail, type Step } from '../model/trail.ts';
import type { Look } from '../postgres/look.ts';

export type RunFacts = {
  /** What the run began from; null: nothing, or ids of another history. */
  previous: Mark | null;
  look: Look;
  snapshot: { xmin: bigint; at: Micros };
  /** Ids at or above the snapshot's xmin that this run's rows carried, less those that were still running. */
  carried: Iterable<bigint>;
  /** The greatest cursor value exported so far, this run included. */
  watermark: string | null;
  lateMs: number;
  marginMs: number;
  /** As the run's transaction found them. */
  leaves: Mark['leaves'];
  history: Mark['history'];
  doubt: Mark['doubt'];
  /** Of a counted cursor: how far the count was, and when; null: not known. */
  step?: Step | null;
};

/** Throws SOURCE_LOST when the look was one at another server than the snapshot's. */
export function nextMark(facts: RunFacts): Mark {
  const { previous, look, snapshot } = facts;
  requireSameServer(look.history, facts.history);
  const xmin = previous && previous.xmin > snapshot.xmin ? previous.xmin : snapshot.xmin;
  const prepared = look.prepared.map((id) => ({ id, floor: preparedFloor(id, previous) }));
  const floor = nextFloor(facts, prepared);
  return {
    xmin,
    seen: atOrAbove(normalize([...(previous?.seen ?? []), ...look.finished, ...rangesOf(facts.carried)]), xmin),
    floor,
    watermark: facts.watermark,
    at: snapshot.at,
    prepared,
    leaves: facts.leaves,
    history: facts.history,
    doubt: facts.doubt,
    trail: nextTrail(previous?.trail ?? [], facts.step ?? null, floor),
  };
}

// A look is shared for seconds: a name, a proxy or a pooler may have led to another server since.
function requireSameServer(looked: History, history: History | null): void {
  const change = history && historyChange(looked, history);
  if (!change) return;
  throw new TidemarkError('SOURCE_LOST', `the source became another server while the run began: ${change}`, {
    hint: 'nothing is lost: the next run goes on from the last mark',
  });
}

/**
 * The time of PREPARE is not the transaction's start. It was open, or not begun, when the last run looked: nothing that it
 * wrote lies below that run's floor. Without a run before, nothing is known.
 */
function preparedFloor(id: bigint, previous: Mark | null): Micros | null {
  const known = previous?.prepared.find((p) => p.id === id);
  return known ? known.floor : (previous?.floor ?? null);
}

function nextFloor(facts: RunFacts, prepared: Mark['prepared']): Micros | null {
  const { look, previous } = facts;
  let least = look.oldestStart !== null && look.oldestStart < look.clock ? look.oldestStart : look.clock;
  if (look.hidden > 0) {
    // Somebody's activity is hidden: we can only assume how long transactions last.
    const assumed = look.clock - BigInt(facts.lateMs) * 1000n;
    if (assumed < least) least = assumed;
  }
  least -= BigInt(facts.marginMs) * 1000n;
  for (const { floor } of prepared) {
    if (floor === null) return null;
    if (floor < least) least = floor;
  }
  // A floor once reached holds: whatever is open now began after it, or was open when it was set.
  return previous?.floor != null && previous.floor > least ? previous.floor : least;
}
