/** Whether transaction ids still mean what they meant when a mark was made. Pure. Invariant: what is unknown never counts as changed. */

import type { History, IdRange, Mark } from './mark.ts';

/** In a few words what shows that ids mean something else now; null: nothing does. */
export function historyChange(before: History, now: History): string | null {
  const differs = <T>(a: T | null, b: T | null) => a !== null && b !== null && a !== b;
  if (differs(before.system, now.system)) return 'the source is another system';
  // Before the positions: a standby that was promoted has both.
  if (differs(before.timeline, now.timeline))
    return `the source is on timeline ${now.timeline} instead of ${before.timeline}`;
  if (before.lsn !== null && now.lsn !== null && now.lsn < before.lsn) return 'the position in the WAL went back';
  return now.xmax < before.xmax ? 'transaction ids went back' : null;
}

/** The ids that the mark has seen, as far as they are ids of this server's. */
export function seenHere(mark: Pick<Mark, 'seen' | 'history'> | null, now: History): IdRange[] {
  if (mark === null || (mark.history && historyChange(mark.history, now) !== null)) return [];
  return mark.seen;
}
