import { expect, test } from 'vitest';
import { afterBatch, firstPressure, type PressureState, waitsFor } from '../../../../src/load/target/pressure.ts';

const MB = 2 ** 20;
const BUDGET = { slower: 4, lagMs: 30_000, lockWaits: 5 };

const after = (state: PressureState, ...ms: number[]) => ms.reduce((each, time) => afterBatch(each, MB, time), state);

test('batches at an even speed leave all of them allowed', () => {
  expect(after(firstPressure(4, BUDGET), 100, 120, 90, 110, 95, 130).allowed).toBe(4);
});

test('a target that became slow gets fewer at once, one after another, never none', () => {
  const slow = after(firstPressure(3, BUDGET), 100, ...Array(4).fill(1500));
  expect(slow.allowed).toBe(2);
  expect(waitsFor(slow, 2)).toBe('the target is slow: 2 of 3 batches at once');
  expect(waitsFor(slow, 1)).toBe(null);
  expect(after(slow, ...Array(40).fill(5000)).allowed).toBe(1);
});

test('once it is fast again they come back', () => {
  const slow = after(firstPressure(3, BUDGET), 100, ...Array(30).fill(5000));
  expect(after(slow, ...Array(8).fill(90)).allowed).toBe(3);
});

test('being one of many is no slowness: four at once may take four times as long', () => {
  expect(after(firstPressure(4, BUDGET), 100, ...Array(12).fill(400)).allowed).toBe(4);
});

test('a table that is slower for good is not held against the first batches for ever', () => {
  const slower = after(firstPressure(2, BUDGET), 100, ...Array(300).fill(900));
  expect(slower.allowed).toBe(2);
});

test('small batches say nothing', () => {
  expect(afterBatch(firstPressure(2, BUDGET), 1000, 10_000)).toEqual(firstPressure(2, BUDGET));
});

test('a standby that is behind stops everything, waiting locks everything but one', () => {
  const state = firstPressure(4, BUDGET);
  const lagging = { ...state, look: { lagMs: 45_000, lockWaits: 0 } };
  expect(waitsFor(lagging, 0)).toBe('a standby of the target is 45 s behind');
  expect(waitsFor({ ...state, look: { lagMs: 1000, lockWaits: 3 } }, 2)).toBe(null);
  const locked = { ...state, look: { lagMs: null, lockWaits: 9 } };
  expect(waitsFor(locked, 0)).toBe(null);
  expect(waitsFor(locked, 1)).toBe('9 sessions of the target wait for locks');
});

test('the budget says what is too much', () => {
  const strict = firstPressure(4, { slower: 2, lagMs: 1_000, lockWaits: 1 });
  expect(waitsFor({ ...strict, look: { lagMs: 2_000, lockWaits: 0 } }, 0)).toContain('2 s behind');
  expect(waitsFor({ ...strict, look: { lagMs: null, lockWaits: 2 } }, 1)).toContain('2 sessions');
  const times = [100, ...Array(4).fill(1_200)];
  expect(after(strict, ...times).allowed).toBeLessThan(after(firstPressure(4, BUDGET), ...times).allowed);
});
