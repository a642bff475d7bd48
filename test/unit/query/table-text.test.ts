import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutTo, displayWidth } from '../../../src/query/display-width.ts';
import { tableLines } from '../../../src/query/table-text.ts';

test.each([
  ['abc', 3],
  ['Größe', 5],
  ['e\u0301', 1],
  ['日本語', 6],
  ['한국', 4],
  ['ｱｲｳ', 3],
  ['ＡＢ', 4],
  ['😀', 2],
  ['👨‍👩‍👧', 2],
  ['🇩🇪', 2],
  ['❤️', 2],
  ['©', 1],
  ['1', 1],
  ['\u200b', 0],
  ['', 0],
])('%s is %i columns wide', (text, width) => {
  expect(displayWidth(text)).toBe(width);
});

test('what is cut is never wider than it may be, and ends with …', () => {
  expect(cutTo('日本語', 4)).toBe('日…');
  expect(cutTo('日本語', 6)).toBe('日本語');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 20 }), (text, width) => {
      const cut = cutTo(text, width);
      expect(displayWidth(cut)).toBeLessThanOrEqual(width);
      expect(cut === text || cut.endsWith('…')).toBe(true);
    }),
  );
});

describe('a table', () => {
  const columns = [
    { name: 'id', right: true },
    { name: 'name', right: false },
    { name: 'n', right: true },
  ];

  test('wide characters move nothing', () => {
    const lines = tableLines(
      columns,
      [
        ['1', '日本', '5'],
        ['22', 'abcde', null],
      ],
      null,
    );
    expect(lines).toEqual(['id  name      n', ' 1  日本      5', '22  abcde  NULL']);
  });

  test('on a narrow terminal the widest column gives way, and no line is wider than it', () => {
    const lines = tableLines(columns, [['1', 'x'.repeat(100), '5']], 40);
    expect(lines[1]).toBe(` 1  ${'x'.repeat(32)}…  5`);
    for (const width of [5, 12, 20, 39]) {
      for (const line of tableLines(columns, [['1', '日'.repeat(100), '12345678']], width)) {
        expect(displayWidth(line)).toBeLessThanOrEqual(width);
      }
    }
  });
});
