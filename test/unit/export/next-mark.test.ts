import { expect, test } from 'vitest';
import { nextMark, type RunFacts } from '../../../src/export/next-mark.ts';
import type { History } from '../../../src/model/mark.ts';

const history: History = { system: 's', timeline: 1, lsn: 100n, xmax: 50n };
const SECOND = 1_000_000n;

const facts = (more: Partial<RunFacts> = {}): RunFacts => ({
  previous: null,
  look: { clock: 100n * SECOND, oldestStart: null, hidden: 0, prepared: [], finished: [], history },
  snapshot: { xmin: 40n, at: 101n * SECOND },
  carried: [],
  watermark: 'w',
  lateMs: 3_600_000,
  marginMs: 10_000,
  leaves: [{ oid: 1, filenode: 1 }],
  history,
  doubt: null,
  ...more,
});

test('what the run found of partitions, history and doubt goes into the mark', () => {
  const doubt = { at: 5n, why: 'so' };
  expect(nextMark(facts({ doubt }))).toMatchObject({ leaves: [{ oid: 1, filenode: 1 }], history, doubt, trail: [] });
});

test('a mark of another history leaves nothing behind: neither its xmin nor its floor hold the new ones up', () => {
  const old = nextMark(facts({ snapshot: { xmin: 900n, at: 1n }, look: { ...facts().look, clock: 900n * SECOND } }));
  expect(nextMark(facts({ previous: old }))).toMatchObject({ xmin: 900n, floor: 890n * SECOND });
  expect(nextMark(facts({ previous: null }))).toMatchObject({ xmin: 40n, floor: 90n * SECOND });
});

test('a look at one server and a snapshot of another end the run', () => {
  const elsewhere = { ...history, timeline: 2 };
  expect(() => nextMark(facts({ history: elsewhere }))).toThrow(expect.objectContaining({ code: 'SOURCE_LOST' }));
  const behind = { ...history, lsn: 99n };
  expect(() => nextMark(facts({ history: behind }))).toThrow(expect.objectContaining({ code: 'SOURCE_LOST' }));
});

test('a count: the step waits in the trail until the floor has passed its instant', () => {
  const step = { at: 101n * SECOND, value: 7n, column: 'rev' };
  const first = nextMark(facts({ step }));
  expect(first).toMatchObject({ trail: [step], floor: 90n * SECOND });
  const look = { ...facts().look, clock: 120n * SECOND };
  const next = { at: 121n * SECOND, value: 9n, column: 'rev' };
  expect(nextMark(facts({ previous: first, look, step: next })).trail).toEqual([step, next]);
  const later = { ...facts().look, clock: 140n * SECOND };
  expect(
    nextMark(facts({ previous: nextMark(facts({ previous: first, look, step: next })), look: later })).trail,
  ).toEqual([next]);
});
