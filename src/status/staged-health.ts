/** Whether a staged table shows what it should: for status and doctor. Pure. */

import { toSecond } from '../model/format.ts';
import type { TableStatus } from '../state/tables.ts';

/** Without a key only full runs can be merged: older than this, nobody seems to make any. */
const STALE_MS = 7 * 86_400_000;

/**
 * Why the staged copy of a table without a key no longer shows the source, and how to mend it; null: it does, or a compaction
 * is all that it needs. `now`: milliseconds since 1970.
 */
export function staleness({ keyed, staged }: TableStatus, now: number): string | null {
  if (keyed !== false || staged === null || staged.version === null || staged.asOf === null) return null;
  const { asOf, lastFullAt, waiting } = staged;
  const from = `without a key its staged copy is from the full run of ${toSecond(asOf)}`;
  // A full run is waiting: the next compaction begins with it.
  if (lastFullAt !== null && lastFullAt > asOf) return null;
  if (waiting.runs > 0n) return `${from}, and what was exported since cannot be merged`;
  return now - Date.parse(asOf) > STALE_MS ? `${from}, and rows deleted since are still in it` : null;
}

/** Milliseconds since the oldest run that it has not seen; 0: it has seen all. */
export function waitingMs({ staged }: TableStatus, now: number): number {
  const since = staged?.waiting.since ?? null;
  return since === null ? 0 : Math.max(0, now - Date.parse(since));
}

export function staleRemedy(name: string): string {
  return `give it a key with \`key:\`, or export it in full now and then: tidemark export --full --table ${name}`;
}
