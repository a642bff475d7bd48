import { expect, test } from 'vitest';
import { coveredValue, nextTrail, type Step } from '../../../src/model/trail.ts';

const step = (at: number, value: number): Step => ({ at: BigInt(at), value: BigInt(value), column: 'rev' });

test('the newest step before the floor counts, one at the same instant does not', () => {
  const trail = [step(10, 1), step(20, 2), step(30, 3)];
  expect(coveredValue(trail, 25n)).toBe(2n);
  expect(coveredValue(trail, 20n)).toBe(1n);
  expect(coveredValue(trail, 10n)).toBeNull();
  expect(coveredValue(trail, null)).toBeNull();
  expect(coveredValue([], 25n)).toBeNull();
});

test('steps that the floor has left behind go, but for the last of them', () => {
  const trail = [step(10, 1), step(20, 2), step(30, 3)];
  expect(nextTrail(trail, step(40, 4), 25n)).toEqual([step(20, 2), step(30, 3), step(40, 4)]);
  expect(nextTrail(trail, null, 99n)).toEqual([step(30, 3)]);
  expect(nextTrail(trail, null, null)).toEqual(trail);
});

test('a count that stands still adds nothing; the first of equal steps is covered first', () => {
  expect(nextTrail([step(10, 1)], step(20, 1), 5n)).toEqual([step(10, 1)]);
});

test('the trail stays short while a transaction holds the floor for hours, and its first step stays', () => {
  let trail = [step(1, 1)];
  for (let i = 2; i < 10_000; i++) trail = nextTrail(trail, step(i, i), 2n);
  expect(trail.length).toBeLessThanOrEqual(64);
  expect(trail[0]).toEqual(step(1, 1));
  expect(coveredValue(trail, 9_000n)).toBeGreaterThan(1_000n);
});
