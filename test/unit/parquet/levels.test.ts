import { describe, expect, test } from 'vitest';
import { Levels } from '../../../src/parquet/levels.ts';
import { type Cell, column, columnData, TYPES } from '../../support/parquet-writer.ts';

function levelsOf(cells: Cell[], list = false): Levels {
  const one = column('c', TYPES.long, { list });
  return new Levels(one, columnData(one, cells), cells.length);
}

function written(levels: Levels): string {
  const out = Buffer.alloc(levels.bound(0, levels.slots));
  return out.toString('hex', 0, levels.write(0, levels.slots, out, 0));
}

describe('a flat column', () => {
  test('without nulls has one run', () => {
    expect(written(levelsOf([1n, 2n, 3n]))).toBe('02000000' + '0601');
  });
  test('with nulls has a bit a row', () => {
    expect(written(levelsOf([1n, null, 3n]))).toBe('02000000' + '0305');
  });
  test('counts and reaches values past nulls', () => {
    const levels = levelsOf([null, 1n, null, 2n, 3n]);
    expect([levels.slots, levels.values(0, 5), levels.values(0, 3), levels.reach(0, 2), levels.reach(2, 1)]).toEqual([
      5, 3, 1, 4, 4,
    ]);
  });
});

describe('a list', () => {
  // Slots: 0 null, 1 empty, 2 3 4 a row of three, 5 a row of one, 6 a null element.
  const levels = levelsOf([null, [], [1n, null, 2n], [3n], [null]], true);
  test('tells null, empty, null element and value apart', () => {
    // Repetition 0 0 0 1 1 0 0; definition 0 1 3 2 3 3 2, two bits each.
    expect(written(levels)).toBe('02000000' + '0318' + '03000000' + '03b42f');
    expect([levels.slots, levels.values(0, 7)]).toEqual([7, 3]);
  });
  test('is cut where a row begins: back if it can, else forth', () => {
    expect([levels.cut(0, 2), levels.cut(0, 3), levels.cut(0, 4), levels.cut(0, 5)]).toEqual([2, 2, 2, 5]);
    expect([levels.cut(2, 3), levels.cut(2, 4), levels.cut(5, 100)]).toEqual([5, 5, 7]);
  });
});
