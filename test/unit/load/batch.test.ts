import { describe, expect, test } from 'vitest';
import { Batch } from '../../../src/load/batch.ts';
import type { ReadDrop } from '../../../src/load/drop.ts';
import type { Claimed } from '../../../src/load/target/outcome.ts';

const claimed = (bytes: number): Claimed => ({ key: 'k', bytes, etag: '', claim: '', overwritten: false, attempt: 1 });
const parsed = (bytes: number): ReadDrop => ({
  state: 'parsed',
  rows: Buffer.alloc(bytes),
  counts: { rowsIn: 1, rowsOut: 1, filtered: 0, rejected: 0 },
  rejects: [],
});

describe('a batch', () => {
  test('is full by its drops, or by the rows that came and those that are expected', () => {
    const growth = { in: 1, out: 5 };
    const few = new Batch({ drops: 2, bytes: 1e9 });
    few.expect(claimed(10));
    expect(few.full(growth)).toBe(false);
    few.expect(claimed(10));
    expect(few.full(growth)).toBe(true);

    const large = new Batch({ drops: 100, bytes: 1000 });
    const number = large.expect(claimed(199));
    expect(large.full(growth)).toBe(false);
    const next = large.expect(claimed(1));
    expect(large.full(growth)).toBe(true);
    // They were smaller than expected.
    large.came(number, parsed(100), growth);
    large.came(next, parsed(1), growth);
    expect(growth).toEqual({ in: 201, out: 106 });
    expect(large.full(growth)).toBe(false);
    large.came(large.expect(claimed(1)), parsed(900), growth);
    expect(large.full(growth)).toBe(true);
  });

  test('has its drops in the order of the listing, whichever came first; without those that could not be read', () => {
    const batch = new Batch({ drops: 9, bytes: 1e9 });
    const growth = { in: 1, out: 1 };
    const [a, b, c] = [1, 2, 3].map((bytes) => batch.expect(claimed(bytes)));
    batch.came(c, parsed(3), growth);
    batch.without(b);
    batch.came(a, { state: 'dead', reason: 'broken' }, growth);
    expect(batch.ready.map(({ number, drop, read }) => [number, drop.bytes, read.state])).toEqual([
      [a, 1, 'dead'],
      [c, 3, 'parsed'],
    ]);
  });
});
