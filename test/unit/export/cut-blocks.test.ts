import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutBlocks } from '../../../src/export/cut-blocks.ts';
import { piecesOf } from '../../../src/export/read-together.ts';

const leaves = fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 1, maxLength: 12 });
/** Blocks of all leaves from `from` up to `to`. */
const within = (blocks: number[], from: number, to: number) =>
  blocks.reduce((sum, each) => sum + Math.max(0, Math.min(each, to) - from), 0);

test('one table is cut into equal ranges', () => {
  expect(cutBlocks([100], 4)).toEqual([0, 25, 50, 75]);
  expect(cutBlocks([3], 10)).toEqual([0, 1, 2]);
  expect(cutBlocks([100], 1)).toEqual([0]);
  expect(cutBlocks([0, 0], 5)).toEqual([0]);
});

test('where small leaves end the ranges of the others are longer', () => {
  expect(cutBlocks([10, 110], 4)).toEqual([0, 20, 50, 80]);
});

test('ranges ascend, none is empty, and none holds more than its share and a row of blocks', () => {
  fc.assert(
    fc.property(leaves, fc.integer({ min: 1, max: 40 }), (blocks, parts) => {
      const starts = cutBlocks(blocks, parts);
      const total = within(blocks, 0, Number.POSITIVE_INFINITY);
      expect(starts[0]).toBe(0);
      expect(starts.length).toBeLessThanOrEqual(Math.max(1, parts));
      for (const [i, start] of starts.entries()) {
        const end = starts[i + 1] ?? Number.POSITIVE_INFINITY;
        expect(end).toBeGreaterThan(start);
        const size = within(blocks, start, end);
        if (total > 0) expect(size).toBeGreaterThan(0);
        expect(size).toBeLessThanOrEqual(total / parts + 2 * blocks.length);
      }
    }),
  );
});

test('pieces of a range cover it, and nothing else; a small range is not shared', () => {
  fc.assert(
    fc.property(leaves, fc.nat(500), fc.option(fc.integer({ min: 501, max: 3_000 })), (blocks, from, to) => {
      const size = { blocks, bytes: within(blocks, 0, Number.POSITIVE_INFINITY) * 8192 * 40, byBlocks: true };
      const pieces = piecesOf(size, { from, to });
      if (pieces === null) return;
      expect(pieces.length).toBeGreaterThanOrEqual(4);
      expect([pieces[0].from, pieces.at(-1)!.to]).toEqual([from, to]);
      for (const [i, piece] of pieces.slice(1).entries()) expect(piece.from).toBe(pieces[i].to);
    }),
  );
  expect(piecesOf({ blocks: [100], bytes: 819_200, byBlocks: true }, { from: 0, to: null })).toBeNull();
  expect(piecesOf({ blocks: [100_000], bytes: 819_200_000, byBlocks: false }, { from: 0, to: null })).toBeNull();
});
