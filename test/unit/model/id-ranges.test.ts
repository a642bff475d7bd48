import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  atOrAbove,
  complement,
  contains,
  formatRanges,
  normalize,
  parseRanges,
  rangesOf,
} from '../../../src/model/id-ranges.ts';
import type { IdRange } from '../../../src/model/mark.ts';

/** Ids around the end of 32 bits, few enough to list them all. */
const BASE = 2n ** 32n - 20n;
const ALL = Array.from({ length: 40 }, (_, i) => BASE + BigInt(i));
const id = fc.nat(39).map((i) => ALL[i]);
const range: fc.Arbitrary<IdRange> = fc.tuple(id, id).map(([from, to]) => ({ from, to }));
const ranges = fc.array(range, { maxLength: 8 });

const members = (set: IdRange[]) => ALL.filter((each) => set.some(({ from, to }) => from <= each && each < to));

function expectOrdered(set: IdRange[]): void {
  for (const [i, { from, to }] of set.entries()) {
    expect(from < to).toBe(true);
    if (i > 0) expect(set[i - 1].to < from).toBe(true);
  }
}

test('normalize keeps the ids, sorts, and leaves no two ranges that overlap or touch', () => {
  fc.assert(
    fc.property(ranges, (set) => {
      const before = structuredClone(set);
      const result = normalize(set);
      expect(members(result)).toEqual(members(set));
      expectOrdered(result);
      expect(set).toEqual(before);
    }),
  );
});

test('atOrAbove keeps just the ids that are not below', () => {
  fc.assert(
    fc.property(ranges, id, (set, least) => {
      const result = atOrAbove(normalize(set), least);
      expect(members(result)).toEqual(members(set).filter((each) => each >= least));
      expectOrdered(result);
    }),
  );
});

test('complement is what lies within and not in the set', () => {
  fc.assert(
    fc.property(ranges, range, (set, within) => {
      const result = complement(set, within);
      expect(members(result)).toEqual(members([within]).filter((each) => !contains(set, each)));
      expectOrdered(result);
    }),
  );
});

test('contains asks for one id, rangesOf makes the least ranges of many', () => {
  fc.assert(
    fc.property(fc.array(id), (ids) => {
      const set = rangesOf(ids);
      expectOrdered(set);
      for (const each of ALL) expect(contains(set, each)).toBe(ids.includes(each));
    }),
  );
});

test('the text is that of an int8multirange, and comes back', () => {
  expect(formatRanges([])).toBe('{}');
  expect(
    formatRanges([
      { from: 1n, to: 5n },
      { from: 9n, to: 10n },
    ]),
  ).toBe('{[1,5),[9,10)}');
  fc.assert(
    fc.property(ranges, (set) => {
      expect(parseRanges(formatRanges(normalize(set)))).toEqual(normalize(set));
    }),
  );
});
