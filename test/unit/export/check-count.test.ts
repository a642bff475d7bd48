import { expect, test } from 'vitest';
import { countDoubt, countProblem, knownCount } from '../../../src/export/check-count.ts';
import type { Mark } from '../../../src/model/mark.ts';
import type { CursorCount } from '../../../src/postgres/cursor-count.ts';

const count = (more: Partial<CursorCount>): CursorCount => ({
  column: 'rev',
  sequence: 's',
  cache: 1n,
  increment: 1n,
  cycle: false,
  triggers: [],
  last: 5n,
  at: 0n,
  standby: false,
  ...more,
});
const trigger = (body: string) => [{ name: 'tr', onInsert: true, onUpdate: true, body }];

test.each([
  ['nothing that counts', { sequence: null }],
  ['a cache', { cache: 20n }],
  ['one that goes down', { increment: -1n }],
  ['one that begins anew', { cycle: true }],
  ['a counter of the row', { triggers: trigger('begin new.rev := old.rev + 1; return new; end') }],
  ['the same, with coalesce', { triggers: trigger('begin NEW."rev" = coalesce(OLD."rev", 0) + 1; return new; end') }],
])('%s is refused', (_, more) => {
  expect(countProblem('rev', count(more))).toMatchObject({ remedy: expect.stringContaining('cursor: none') });
});

test('a sequence, and a trigger that may draw from one, are not refused', () => {
  expect(countProblem('rev', count({}))).toBeNull();
  expect(
    countProblem('rev', count({ sequence: null, triggers: trigger("begin new.rev := nextval('s'); return new; end") })),
  ).toBeNull();
});

test('what cannot be proven is said', () => {
  const drawn = trigger("begin new.rev := nextval('s'); return new; end");
  expect(countDoubt('rev', count({}))?.found).toContain('no trigger sets it on UPDATE');
  expect(countDoubt('rev', count({ sequence: null, triggers: drawn }))?.found).toContain('cannot be proven');
  expect(countDoubt('rev', count({ triggers: drawn }))).toBeNull();
});

test('a count is known while it is of the same column and has not gone back', () => {
  const mark = { trail: [{ at: 1n, value: 5n, column: 'rev' }], watermark: '5' } as Mark;
  expect(knownCount(mark, count({ last: 5n }))).toBe(mark);
  expect(knownCount(mark, count({ last: null }))).toBe(mark);
  expect(knownCount(mark, count({ last: 4n }))).toEqual({ trail: [], watermark: null });
  expect(knownCount(mark, count({ last: null, column: 'id' }))).toEqual({ trail: [], watermark: null });
});
