import { describe, expect, test } from 'vitest';
import { createPartBuffers, PART_SIZE, partSize } from '../../../src/lake/s3-parts.ts';

const TIB = 2 ** 40;

test('ten thousand parts hold the greatest object, none beyond S3 limits', () => {
  let total = 0;
  for (let number = 1; number <= 10_000; number++) {
    const size = partSize(number, PART_SIZE);
    expect(size).toBeLessThanOrEqual(5 * 2 ** 30);
    total += size;
  }
  expect(total).toBeGreaterThanOrEqual(5 * TIB);
});

test('files of up to 8 GB have equal parts', () => {
  expect(new Set(Array.from({ length: 1000 }, (_, n) => partSize(n + 1, PART_SIZE)))).toEqual(new Set([PART_SIZE]));
});

describe('part buffers', () => {
  test('one that was given back is lent again, to the same size only', () => {
    const buffers = createPartBuffers();
    const first = buffers.take(1024);
    buffers.give(first);
    expect(buffers.take(2048)).not.toBe(first);
    expect(buffers.take(1024)).toBe(first);
    expect(buffers.take(1024)).not.toBe(first);
  });

  test('no more than an upload needs are kept', () => {
    const buffers = createPartBuffers();
    const lent = Array.from({ length: 10 }, () => buffers.take(64));
    for (const each of lent) buffers.give(each);
    const again = Array.from({ length: 10 }, () => buffers.take(64));
    expect(again.filter((each) => lent.includes(each))).toHaveLength(4);
  });
});
