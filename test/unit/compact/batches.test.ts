import { expect, test } from 'vitest';
import { takeBatch } from '../../../src/compact/batches.ts';
import type { RawRun } from '../../../src/state/raw-runs.ts';

/** `F10`: a full run of 10 bytes; `10`: one of changes. */
const runs = (...spec: string[]): RawRun[] =>
  spec.map((each, i) => ({
    run: BigInt(i),
    full: each.startsWith('F'),
    bytes: BigInt(each.replace('F', '')),
    rows: 1n,
    snapshotAt: '2026-01-01T00:00:00.000000Z',
    files: [],
  }));

test.each([
  ['nothing where there is none', runs(), 0],
  ['a full run alone', runs('F1', '1', '1'), 1],
  ['changes up to the next full run', runs('1', '1', 'F1', '1'), 2],
  ['changes as far as they fit', runs('40', '60', '1'), 2],
  ['one that is too large, by itself', runs('101', '1'), 1],
  ['none after one that is too large', runs('1', '100', '1'), 1],
  ['a full run of any size', runs('F1000'), 1],
])('takes %s', (_, all, taken) => {
  expect(takeBatch(all, 100)).toEqual(all.slice(0, taken));
});
