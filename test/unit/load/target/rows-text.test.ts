import { expect, test } from 'vitest';
import { cutLine } from '../../../../src/load/target/rows-text.ts';

test('a line is cut out of the pieces, whichever it stands in; its numbers come along', () => {
  const pieces = ['0\t1\ta\n0\t7\tb\n', '3\t1\tc\n'].map((text) => Buffer.from(text));
  const text = (left: Uint8Array[]) => left.map((piece) => Buffer.from(piece).toString()).join('|');
  expect(
    [1, 2, 3].map((n) => cutLine(pieces, n)).map(({ pieces: left, number, line }) => [text(left), number, line]),
  ).toEqual([
    ['0\t7\tb\n|3\t1\tc\n', 0, 1],
    ['0\t1\ta\n|3\t1\tc\n', 0, 7],
    ['0\t1\ta\n0\t7\tb\n', 3, 1],
  ]);
  expect(() => cutLine(pieces, 4)).toThrow('no line 4');
});
