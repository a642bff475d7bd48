import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planOptimize } from '../../../src/compact/optimize-plan.ts';
import { asGroup, type PlannedFile, planFiles, type Shape } from '../../../src/compact/plan.ts';

const SHAPE: Shape = { targetBytes: 1_000, fanIn: 4, smallBytes: 50, tierBytes: 10, markedPart: 0.2 };

/** Files of 100 rows, one after another, 100 bytes each unless said otherwise. */
function files(...some: Partial<PlannedFile>[]): PlannedFile[] {
  const plain = { bytes: 100, rows: 100, gone: 0, hits: 0, outdated: false };
  return some.map((each, file) => ({ file, ...plain, low: 10 * file, high: 10 * file + 9, ...each }));
}

describe('which files a merge writes again', () => {
  test('those with changed rows, each by itself, and no other', () => {
    const plan = planFiles(files({}, { hits: 1 }, {}, { hits: 100 }), 'rewrite', SHAPE);
    expect(plan).toEqual({
      rewrite: [
        { files: [1], sort: false },
        { files: [3], sort: false },
      ],
      mark: [],
    });
  });

  test('small ones together, up to twice the size of a small file', () => {
    const small = { bytes: 40, hits: 1 };
    const plan = planFiles(files(small, small, small, { hits: 1 }), 'rewrite', SHAPE);
    expect(plan.rewrite.map((group) => group.files)).toEqual([[3], [0, 1], [2]]);
  });

  test('with vectors, rows are marked up to a fifth of the file, those that are marked already among them', () => {
    const plan = planFiles(
      files({ hits: 20 }, { hits: 21 }, { hits: 1, gone: 19 }, { hits: 1, gone: 20 }),
      'vectors',
      SHAPE,
    );
    expect(plan.mark).toEqual([0, 2]);
    expect(plan.rewrite.map((group) => group.files)).toEqual([[1], [3]]);
  });

  test('a file whose rows nobody counted is not marked', () => {
    expect(planFiles(files({ rows: 0, hits: 1 }), 'vectors', SHAPE)).toMatchObject({
      mark: [],
      rewrite: [{ files: [0] }],
    });
  });

  test('back at rewrite, marked files become plain ones', () => {
    expect(planFiles(files({ gone: 1 }, {}), 'rewrite', SHAPE).rewrite).toEqual([{ files: [0], sort: false }]);
    expect(planFiles(files({ gone: 1 }, {}), 'vectors', SHAPE)).toEqual({ rewrite: [], mark: [] });
  });

  test('every file once a column is another one', () => {
    const plan = planFiles(files({ outdated: true }, { outdated: true, hits: 1 }), 'vectors', SHAPE);
    expect(plan.mark).toEqual([]);
    expect(plan.rewrite.flatMap((group) => group.files)).toEqual([0, 1]);
  });

  test('small files of one size, as soon as they are as many as the fan-in', () => {
    expect(planFiles(files({}, {}, {}), 'rewrite', SHAPE).rewrite).toEqual([]);
    expect(planFiles(files({}, {}, {}, {}), 'rewrite', SHAPE).rewrite).toEqual([{ files: [0, 1, 2, 3], sort: false }]);
  });

  test('not those of half the target size and more, and not small ones with large ones', () => {
    expect(planFiles(files(...Array(8).fill({ bytes: 500 })), 'rewrite', SHAPE).rewrite).toEqual([]);
    const mixed = files({ bytes: 20 }, { bytes: 20 }, { bytes: 400 }, { bytes: 400 });
    expect(planFiles(mixed, 'rewrite', SHAPE).rewrite).toEqual([]);
  });

  test('sorted only where they overlap', () => {
    expect(asGroup(files({}, {}, {})).sort).toBe(false);
    expect(asGroup(files({}, { low: 5 }, {})).sort).toBe(true);
    // One ends with the value that the next begins with, as a composite key does.
    expect(asGroup(files({ high: 10 }, {})).sort).toBe(false);
  });
});

const anyFile = fc.record({
  bytes: fc.integer({ min: 1, max: 2_000 }),
  gone: fc.constantFrom(0, 0, 10, 50),
  hits: fc.constantFrom(0, 0, 1, 40),
  low: fc.nat(100),
  width: fc.nat(20),
});
const anyFiles = fc
  .array(anyFile, { maxLength: 30 })
  .map((all) => files(...all.map(({ low, width, ...each }) => ({ ...each, low, high: low + width }))));

test('whatever the files: none is in two places, and each with a changed row is in one', () => {
  fc.assert(
    fc.property(anyFiles, fc.constantFrom<'rewrite' | 'vectors'>('rewrite', 'vectors'), (all, mode) => {
      const { rewrite, mark } = planFiles(all, mode, SHAPE);
      const touched = [...rewrite.flatMap((group) => group.files), ...mark];
      expect(new Set(touched).size).toBe(touched.length);
      for (const { file, hits, gone } of all) {
        if (hits > 0 || (mode === 'rewrite' && gone > 0)) expect(touched).toContain(file);
      }
      if (mode === 'rewrite') expect(mark).toEqual([]);
    }),
  );
});

describe('what --optimize writes again', () => {
  const plan = (all: PlannedFile[], batchBytes = 1e9) => planOptimize(all, SHAPE, batchBytes);

  test('nothing where files follow one another and are large enough', () => {
    expect(plan(files(...Array(20).fill({ bytes: 500 })))).toEqual([]);
  });

  test('files that overlap, with all between the first and the last of them', () => {
    const all = files({ bytes: 900 }, { bytes: 900, high: 35 }, { bytes: 900 }, { bytes: 900 }, { bytes: 900 });
    expect(plan(all).map((fold) => fold.files)).toEqual([[1, 2, 3]]);
  });

  test('files with marked rows, and with other columns than the table', () => {
    const all = files({ bytes: 900, gone: 1 }, { bytes: 900 }, { bytes: 900, outdated: true });
    expect(plan(all).map((fold) => fold.files)).toEqual([[0], [2]]);
  });

  test('small neighbours, up to the target size; not the last ones, which are small on purpose', () => {
    const all = files(...Array(6).fill({ bytes: 400 }), ...Array(6).fill({ bytes: 900 }));
    expect(plan(all).map((fold) => fold.files)).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    expect(plan(all, 700)).toEqual([]);
    expect(plan(files({ bytes: 900 }, { bytes: 400 }, { bytes: 200 }, { bytes: 100 }))).toEqual([]);
  });

  test('in ranges that fit into a batch: each key is in one of them, and every file that may hold it', () => {
    fc.assert(
      fc.property(anyFiles, fc.integer({ min: 1, max: 5_000 }), (all, batchBytes) => {
        for (const fold of plan(all, batchBytes)) {
          const lows = fold.ranges.map(({ from }) => (from === null ? Number.NEGATIVE_INFINITY : all[from].low));
          expect(lows[0]).toBe(Number.NEGATIVE_INFINITY);
          expect(lows).toEqual([...new Set(lows)].sort((a, b) => a - b));
          for (const file of fold.files) {
            for (let key = all[file].low; key <= all[file].high; key++) {
              const range = lows.findLastIndex((low) => low <= key);
              expect(fold.ranges[range].files).toContain(file);
            }
          }
        }
      }),
    );
  });
});
