/** Whether what a comparison finds can be trusted. Pure. */

import { historyChange } from '../model/history.ts';
import type { History, Mark } from '../model/mark.ts';

/** A snapshot, as far as it is compared with a mark. */
export type SeenBy = { xmin: bigint; xmax: bigint; running: readonly bigint[]; history: History };

/**
 * In a few words why the snapshot may lack rows that the mark calls exported; null: it sees all of them. A lagging standby, a restored
 * server: such rows would be taken for deleted, and would not come back, for no run exports them again.
 */
export function lacksExported(
  mark: Pick<Mark, 'xmin' | 'seen' | 'history'>,
  { xmin, xmax, running, history }: SeenBy,
): string | null {
  if (mark.history === null) return 'the last export did not note which server it read';
  const changed = historyChange(mark.history, history);
  if (changed !== null) return changed;
  if (xmin < mark.xmin) return 'it does not see all transactions that were exported';
  const isSeen = (id: bigint) => mark.seen.some(({ from, to }) => id >= from && id < to);
  const ahead = mark.seen.some(({ to }) => to > xmax);
  return ahead || running.some(isSeen) ? 'it does not see all transactions that were exported' : null;
}

/** Up to so many are deleted without a question. */
const FEW = 1_000n;

/** More than an application deletes in its daily work: a TRUNCATE, or the wrong database. */
export function isMany(deleted: bigint, staged: bigint): boolean {
  return deleted > FEW && deleted * 2n > staged;
}
