import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Mark } from '../../../src/model/mark.ts';
import { instantText, markFromJson, markToJson, parseInstant } from '../../../src/state/mark-json.ts';
import { anyMark } from '../../support/any-mark.ts';

const mark: Mark = {
  xmin: 9_007_199_254_740_993n,
  seen: [
    { from: 9_007_199_254_740_993n, to: 9_007_199_254_740_994n },
    { from: 9_007_199_254_740_999n, to: 9_007_199_254_741_999n },
  ],
  floor: 1_782_898_200_123_457n,
  watermark: '2026-07-01 09:30:00.123457+00',
  at: 1_782_898_200_000_000n,
  prepared: [
    { id: 5n, floor: null },
    { id: 6n, floor: -1n },
  ],
  leaves: [{ oid: 16_384, filenode: 16_390 }],
  history: { system: '7571000000000000001', timeline: 2, lsn: 9_007_199_254_740_995n, xmax: 9_007_199_254_740_996n },
  doubt: { at: 1_782_898_200_000_000n, why: 'transaction ids went back' },
  trail: [{ at: 1_782_898_200_000_000n, value: 9_007_199_254_740_997n, column: 'rev' }],
};

test('a mark is text that a person can read', () => {
  expect(markToJson(mark)).toEqual({
    xmin: '9007199254740993',
    seen: '{[9007199254740993,9007199254740994),[9007199254740999,9007199254741999)}',
    floor: '2026-07-01T09:30:00.123457Z',
    watermark: '2026-07-01 09:30:00.123457+00',
    at: '2026-07-01T09:30:00.000000Z',
    prepared: [
      { id: '5', floor: null },
      { id: '6', floor: '1969-12-31T23:59:59.999999Z' },
    ],
    leaves: { 16384: '16390' },
    history: { system: '7571000000000000001', timeline: '2', lsn: '9007199254740995', xmax: '9007199254740996' },
    doubt: { at: '2026-07-01T09:30:00.000000Z', why: 'transaction ids went back' },
    trail: [{ at: '2026-07-01T09:30:00.000000Z', value: '9007199254740997', column: 'rev' }],
  });
});

test('a mark of an older version says nothing of leaves and history', () => {
  const { leaves: _leaves, history: _history, doubt: _doubt, trail: _trail, ...older } = markToJson(mark);
  expect(markFromJson(older)).toEqual({ ...mark, leaves: null, history: null, doubt: null, trail: [] });
});

test('every mark comes back from JSON as it was', () => {
  fc.assert(
    fc.property(anyMark, (any) => {
      expect(markFromJson(JSON.parse(JSON.stringify(markToJson(any))))).toEqual(any);
    }),
  );
});

test('an instant is exact to the microsecond, also before 1970 and after the year 9999', () => {
  const micros = fc.bigInt({ min: -8_640_000_000_000_000_000n, max: 8_640_000_000_000_000_000n });
  fc.assert(
    fc.property(micros, (instant) => {
      expect(parseInstant(instantText(instant))).toBe(instant);
    }),
  );
  expect(instantText(253_402_300_800_000_001n)).toBe('+010000-01-01T00:00:00.000001Z');
});

test.each(['', '{', '{[1,2)', '{[1,2),}', '{[1,2][3,4)}', '{[a,b)}', '{[1,2),,[3,4)}', '{[-1,2)}'])(
  'a seen set that somebody spoilt (%j) is refused, not read as less',
  (seen) => {
    expect(() => markFromJson({ ...markToJson(mark), seen })).toThrow(
      expect.objectContaining({ code: 'STATE_FAILED', hint: expect.stringContaining('--full') }),
    );
  },
);

test.each(['xmin', 'at', 'floor'] as const)('a mark whose %s is no such thing is refused', (field) => {
  expect(() => markFromJson({ ...markToJson(mark), [field]: 'yesterday' })).toThrow(
    expect.objectContaining({ code: 'STATE_FAILED' }),
  );
});
