import { expect, test } from 'vitest';
import { chooseRows } from '../../../src/export/choose-rows.ts';
import { historyChange, seenHere } from '../../../src/model/history.ts';
import type { History, Mark } from '../../../src/model/mark.ts';

const history: History = { system: 's', timeline: 3, lsn: 100n, xmax: 50n };
const leaf = (oid: number, filenode = oid) => ({ oid, filenode });

const previous: Mark = {
  xmin: 40n,
  seen: [{ from: 41n, to: 43n }],
  floor: 1_000n,
  watermark: 'w',
  at: 2_000n,
  prepared: [],
  leaves: [leaf(1), leaf(2)],
  history,
  doubt: null,
  trail: [],
};

const choose = (more: Partial<Parameters<typeof chooseRows>[0]>) =>
  chooseRows({ previous, full: false, leaves: [leaf(1), leaf(2)], history, at: 3_000n, hasCursor: true, ...more });

test('nothing is new: the changed rows since the mark', () => {
  expect(choose({})).toEqual({
    full: false,
    since: previous,
    apart: [],
    base: previous,
    changed: null,
    doubt: null,
    history,
  });
});

test('the first run, and one that is asked for, brings everything', () => {
  expect(choose({ previous: null })).toMatchObject({ full: true, since: null, base: null });
  expect(choose({ full: true })).toMatchObject({ full: true, since: null, base: previous });
});

test('a new partition comes whole; one that is gone is forgotten', () => {
  expect(choose({ leaves: [leaf(2), leaf(3)] })).toMatchObject({
    full: false,
    apart: [{ leaf: leaf(3), rule: 'all' }],
  });
});

test('all are new: the table is another one', () => {
  expect(choose({ leaves: [leaf(3)] })).toMatchObject({ full: true, since: null, apart: [] });
  expect(choose({ previous: { ...previous, leaves: [] } })).toMatchObject({ full: true });
  expect(choose({ leaves: [] })).toMatchObject({ full: false, apart: [] });
});

test('all partitions of a partitioned table are new: they come whole, and the lake keeps what the old ones held', () => {
  expect(choose({ root: 100, leaves: [leaf(3), leaf(4)] })).toMatchObject({
    full: false,
    since: previous,
    apart: [
      { leaf: leaf(3), rule: 'all' },
      { leaf: leaf(4), rule: 'all' },
    ],
  });
  expect(choose({ root: 3, leaves: [leaf(3), leaf(4)] })).toMatchObject({ full: true });
  expect(choose({ root: 100, leaves: [leaf(3)], history: { ...history, system: 'o' } })).toMatchObject({ full: true });
});

test('what was counted before TRUNCATE, or by a table that is gone, says nothing of small numbers', () => {
  const counted = { ...previous, trail: [{ at: 1n, value: 9n, column: 'rev' }] };
  const anew = { trail: [], watermark: null };
  for (const leaves of [[leaf(1, 9), leaf(2)], [leaf(3)]]) {
    const chosen = choose({ previous: counted, counts: true, root: 100, leaves });
    expect(chosen).toMatchObject({ full: false, since: { ...anew, floor: null }, base: { ...anew, floor: 1_000n } });
  }
  expect(choose({ previous: counted, counts: true, full: true }).base).toMatchObject(anew);
});

test('one partition written anew is read by ids alone; all of them, without the prefilter', () => {
  expect(choose({ leaves: [leaf(1, 9), leaf(2)] })).toMatchObject({
    since: previous,
    apart: [{ leaf: leaf(1, 9), rule: 'ids' }],
  });
  expect(choose({ leaves: [leaf(1, 9), leaf(2, 8), leaf(3)] })).toMatchObject({
    since: { ...previous, floor: null },
    apart: [{ leaf: leaf(3), rule: 'all' }],
  });
});

test('without a prefilter it does not matter what was written anew', () => {
  expect(choose({ hasCursor: false, leaves: [leaf(1, 9), leaf(2)] }).apart).toEqual([]);
  expect(choose({ previous: { ...previous, floor: null }, leaves: [leaf(1, 9), leaf(2)] }).apart).toEqual([]);
});

test('a mark that knows no partitions compares none', () => {
  const older = { ...previous, leaves: null, history: null };
  expect(choose({ previous: older, leaves: [leaf(7)] })).toMatchObject({
    full: false,
    since: older,
    apart: [],
    history,
  });
});

const promoted = { ...history, timeline: 4 };

test('another history: the floor alone, nothing of the ids, and a doubt that stays', () => {
  const chosen = choose({ history: promoted });
  expect(chosen).toMatchObject({
    full: false,
    since: { xmin: 0n, seen: [], floor: 1_000n },
    base: null,
    changed: 'the source is on timeline 4 instead of 3',
    doubt: { at: 3_000n, why: 'the source is on timeline 4 instead of 3' },
    history: promoted,
  });
  const later = choose({ previous: { ...previous, history: promoted, doubt: chosen.doubt }, history: promoted });
  expect(later).toMatchObject({ since: { xmin: 40n }, changed: null, doubt: chosen.doubt });
});

test('a full run ends the doubt', () => {
  const doubt = { at: 1n, why: 'so' };
  expect(choose({ previous: { ...previous, doubt }, full: true }).doubt).toBeNull();
});

test('another history without a floor or a cursor: everything', () => {
  expect(choose({ history: promoted, hasCursor: false })).toMatchObject({ full: true, base: null, doubt: null });
  expect(choose({ history: promoted, previous: { ...previous, floor: null } })).toMatchObject({
    full: true,
    base: null,
  });
});

test('on another system the numbers of files say nothing, those of partitions what they can', () => {
  const other = { ...history, system: 'o' };
  expect(choose({ history: other, leaves: [leaf(1, 9), leaf(2, 8)] })).toMatchObject({
    full: false,
    apart: [],
    since: { floor: 1_000n },
  });
  expect(choose({ history: other, leaves: [leaf(8), leaf(9)] })).toMatchObject({ full: true });
  expect(choose({ history: promoted, leaves: [leaf(1, 9), leaf(2)] })).toMatchObject({
    apart: [{ rule: 'ids' }],
    since: { xmin: 0n },
  });
});

test.each([
  ['the same', {}, null],
  ['further on', { lsn: 101n, xmax: 51n }, null],
  ['another system', { system: 'o' }, 'the source is another system'],
  ['a lower timeline', { timeline: 2 }, 'the source is on timeline 2 instead of 3'],
  ['the WAL went back', { lsn: 99n }, 'the position in the WAL went back'],
  ['ids went back', { xmax: 49n }, 'transaction ids went back'],
  ['unknown', { system: null, timeline: null, lsn: null }, null],
] as [string, Partial<History>, string | null][])('%s', (_, more, why) => {
  expect(historyChange(history, { ...history, ...more })).toBe(why);
});

test('what the server does not tell stays in the mark', () => {
  expect(choose({ history: { system: null, timeline: null, lsn: null, xmax: 60n } })).toMatchObject({
    changed: null,
    history: { ...history, xmax: 60n },
  });
});

test('ids that were seen on another server are not taken for ids of this one', () => {
  expect(seenHere(previous, { ...history, xmax: 60n })).toEqual(previous.seen);
  expect(seenHere(previous, promoted)).toEqual([]);
  expect(seenHere({ ...previous, history: null }, promoted)).toEqual(previous.seen);
  expect(seenHere(null, history)).toEqual([]);
});
