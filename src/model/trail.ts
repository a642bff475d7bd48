/**
 * How a counted cursor (bigint) gets its floor. Invariant: no transaction that began at or after a step's instant has drawn
 * a value at or below the step's. So the floor in time, below which no open transaction began, picks a floor in values.
 */

import type { Micros } from './mark.ts';

/** `column`: the cursor that was counted. */
export type Step = { at: Micros; value: bigint; column: string };

/** While a transaction stays open for hours, each run adds a step; fewer only mean a lower floor. */
const MOST_STEPS = 64;

/**
 * The greatest value that no row yet to come is at or below; null: none is known, every row has to be looked at. A step at
 * the very instant of the floor does not count: the transaction may have drawn before it.
 */
export function coveredValue(trail: readonly Step[], floor: Micros | null): bigint | null {
  if (floor === null) return null;
  return trail.findLast(({ at }) => at < floor)?.value ?? null;
}

/** The trail with a run's step added, without the steps that the floor has left behind. */
export function nextTrail(trail: readonly Step[], step: Step | null, floor: Micros | null): Step[] {
  const last = trail.at(-1);
  const all = step && (!last || (step.value > last.value && step.at > last.at)) ? [...trail, step] : [...trail];
  const covered = floor === null ? -1 : all.findLastIndex(({ at }) => at < floor);
  const kept = all.slice(Math.max(covered, 0));
  while (kept.length > MOST_STEPS) kept.splice(closest(kept), 1);
  return kept;
}

/** The step whose neighbours are nearest to each other: without it the least is lost. Never the first or the last. */
function closest(trail: readonly Step[]): number {
  const gap = (i: number) => trail[i + 1].at - trail[i - 1].at;
  let found = 1;
  for (let i = 2; i < trail.length - 1; i++) if (gap(i) < gap(found)) found = i;
  return found;
}
