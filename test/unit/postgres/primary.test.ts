import { expect, test } from 'vitest';
import { endOfRecord } from '../../../src/postgres/primary.ts';

test('a position behind the header of a page is reached at its beginning: no record may follow for long', () => {
  expect(endOfRecord(3n * 8192n + 24n)).toBe(3n * 8192n);
  // The first page of a segment has a longer one.
  expect(endOfRecord(16n * 1024n * 1024n + 40n)).toBe(16n * 1024n * 1024n);
});

test('any other position is the end of a record', () => {
  expect(endOfRecord(3n * 8192n + 96n)).toBe(3n * 8192n + 96n);
  expect(endOfRecord(3n * 8192n)).toBe(3n * 8192n);
});
