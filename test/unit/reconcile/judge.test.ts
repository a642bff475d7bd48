import { describe, expect, test } from 'vitest';
import { isMany, lacksExported } from '../../../src/reconcile/judge.ts';

describe('whether a snapshot sees all that was exported', () => {
  const history = { system: '7', timeline: 2, lsn: 1_000n, xmax: 120n };
  const mark = { xmin: 100n, seen: [{ from: 105n, to: 110n }], history };
  const now = { xmin: 104n, xmax: 130n, running: [104n, 120n], history: { ...history, lsn: 2_000n, xmax: 130n } };

  test('a later one of the same server does', () => {
    expect(lacksExported(mark, now)).toBeNull();
    expect(lacksExported(mark, { xmin: 100n, xmax: 120n, running: [100n], history })).toBeNull();
  });

  test.for([
    ['another system', { ...now, history: { ...now.history, system: '8' } }, /another system/],
    ['another timeline', { ...now, history: { ...now.history, timeline: 3 } }, /timeline/],
    ['a position that went back', { ...now, history: { ...now.history, lsn: 999n } }, /WAL/],
    ['ids that went back', { ...now, history: { ...now.history, xmax: 119n } }, /ids went back/],
    ['an older xmin', { ...now, xmin: 99n }, /does not see/],
    ['a seen id that is running', { ...now, running: [104n, 105n] }, /does not see/],
    ['a seen id that has not begun', { ...now, xmax: 109n }, /does not see/],
  ] as const)('not with %s', ([, snapshot, why]) => {
    expect(lacksExported(mark, snapshot)).toMatch(why);
  });

  test('what the server hides does not count; a mark without any history does', () => {
    const hidden = { system: null, timeline: null, lsn: null, xmax: 130n };
    expect(lacksExported(mark, { ...now, history: hidden })).toBeNull();
    expect(lacksExported({ ...mark, history: null }, now)).toMatch(/did not note/);
  });
});

test.for([
  [1_000n, 1_000n, false],
  [1_001n, 2_002n, false],
  [1_001n, 2_001n, true],
  [1_001n, 1_001n, true],
  [600_000n, 1_000_000n, true],
] as const)('%s of %s are many: %s', ([deleted, staged, many]) => {
  expect(isMany(deleted, staged)).toBe(many);
});
