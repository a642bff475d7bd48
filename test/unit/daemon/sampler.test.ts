import { expect, test } from 'vitest';
import { Board } from '../../../src/daemon/board.ts';
import { pastSamples } from '../../../src/daemon/sampler.ts';

const MINUTE = 60_000;

test('after a restart: what was exported by the minute, idle minutes between; the lag is not known', () => {
  const minutes = [
    { at: 10 * MINUTE, rows: 5, bytes: 50 },
    { at: 12 * MINUTE, rows: 7, bytes: 70 },
  ];
  const samples = pastSamples(minutes, 13.5 * MINUTE);
  expect(samples.map(({ at, rows, bytes }) => [at / MINUTE, rows, bytes])).toEqual([
    [11, 5, 50],
    [12, 0, 0],
    [13, 7, 70],
    [13.5, 0, 0],
  ]);
  expect(new Set(samples.flatMap(({ maxLagSeconds, medianLagSeconds }) => [maxLagSeconds, medianLagSeconds]))).toEqual(
    new Set([null]),
  );
});

test('before the first export there is nothing to show, nor with a clock that is behind', () => {
  expect(pastSamples([], 5 * MINUTE)).toEqual([]);
  expect(pastSamples([{ at: 10 * MINUTE, rows: 1, bytes: 1 }], 5 * MINUTE)).toEqual([]);
});

test('the board has them before its own, a day of both', () => {
  const board = new Board(0);
  const sample = (at: number) => ({ at, maxLagSeconds: null, medianLagSeconds: null, rows: 1, bytes: 1 });
  board.sample(sample(2_000));
  board.recall(Array.from({ length: 1_440 }, (_, i) => sample(i)));
  expect(board.samples()).toHaveLength(1_440);
  expect([board.samples()[0].at, board.samples().at(-1)?.at]).toEqual([1, 2_000]);
});
