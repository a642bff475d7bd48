import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  atOrAbove,
  complement,
  contains,
  formatRanges,
  normalize,
  parseRanges,
  rangesOf,
} from '../../../src/model/id-ranges.ts';

/** Small numbers, so that ranges overlap, touch and nest; empty and backward ones too. */
const range = fc.record({ from: fc.bigInt(0n, 40n), to: fc.bigInt(0n, 40n) });
const ranges = fc.array(range, { maxLength: 8 });
const ALL = Array.from({ length: 42 }, (_, i) => BigInt(i));
const members = (set: { from: bigint; to: bigint }[]) => ALL.filter((id) => set.some((r) => r.from <= id && id < r.to));

function expectNormal(set: { from: bigint; to: bigint }[]) {
  for (const [i, { from, to }] of set.entries()) {
    expect(from).toBeLessThan(to);
    if (i > 0) expect(from).toBeGreaterThan(set[i - 1].to);
  }
}

describe('as sets of numbers', () => {
  test('normalize keeps the members, sorted and apart', () => {
    fc.assert(
      fc.property(ranges, (set) => {
        const before = structuredClone(set);
        const normal = normalize(set);
        expectNormal(normal);
        expect(members(normal)).toEqual(members(set));
        expect(set).toEqual(before);
      }),
    );
  });

  test('atOrAbove, contains, complement, rangesOf', () => {
    fc.assert(
      fc.property(ranges, range, (set, within) => {
        expect(members(atOrAbove(set, within.from))).toEqual(members(set).filter((id) => id >= within.from));
        const rest = complement(set, within);
        expectNormal(rest);
        expect(members(rest)).toEqual(members([within]).filter((id) => !members(set).includes(id)));
        for (const id of ALL) expect(contains(set, id)).toBe(members(set).includes(id));
        expect(rangesOf(members(set).reverse())).toEqual(normalize(set));
      }),
    );
  });

  test('what is printed is read back', () => {
    fc.assert(
      fc.property(ranges, (set) => {
        expect(parseRanges(formatRanges(normalize(set)))).toEqual(normalize(set));
      }),
    );
  });
});

test('as Postgres prints an int8multirange, 64 bits wide', () => {
  expect(formatRanges([])).toBe('{}');
  expect(formatRanges([{ from: 4_294_967_296n, to: 9_223_372_036_854_775_807n }])).toBe(
    '{[4294967296,9223372036854775807)}',
  );
  expect(parseRanges('{[1,5),[9007199254740993,9007199254740995)}')).toEqual([
    { from: 1n, to: 5n },
    { from: 9_007_199_254_740_993n, to: 9_007_199_254_740_995n },
  ]);
  expect(parseRanges('{}')).toEqual([]);
});
