import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareBytes, lowerBound, upperBound } from '../../../src/parquet/bytes-order.ts';

const text = (value: string | null) => (value === null ? null : Buffer.from(value));

describe('shortening text', () => {
  test('a short value is its own bound', () => {
    expect(lowerBound(Buffer.from('abc'), 3, true).toString()).toBe('abc');
    expect(upperBound(Buffer.from('abc'), 3, true)?.toString()).toBe('abc');
  });
  test('a cut never splits a code point', () => {
    expect(lowerBound(Buffer.from('až'), 2, true).toString()).toBe('a');
    expect(upperBound(Buffer.from('až'), 2, true)?.toString()).toBe('b');
  });
  test('the upper bound is the next code point', () => {
    expect(upperBound(Buffer.from('ab~z'), 3, true)).toEqual(text('ab\x7f'));
    expect(upperBound(Buffer.from('a\x7fz'), 2, true)).toEqual(text('a\x80'));
  });
  test('surrogates are skipped, the last code point gives way to the one before it', () => {
    expect(upperBound(Buffer.from('\ud7ffz'), 3, true)).toEqual(text('\ue000'));
    expect(upperBound(Buffer.from('a\u{10ffff}z'), 5, true)).toEqual(text('b'));
  });
  test('nothing lies above the greatest code points, or above broken ones', () => {
    expect(upperBound(Buffer.from('\u{10ffff}z'), 4, true)).toBeNull();
    expect(upperBound(Buffer.of(0x61, 0xff, 0x61), 2, true)).toBeNull();
  });
});

test('shortening bytes carries over 255', () => {
  expect(upperBound(Buffer.of(1, 2, 3), 2, false)).toEqual(Buffer.of(1, 3));
  expect(upperBound(Buffer.of(1, 255, 3), 2, false)).toEqual(Buffer.of(2));
  expect(upperBound(Buffer.of(255, 255, 3), 2, false)).toBeNull();
});

test('bounds enclose the value and keep to the limit', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.integer({ min: 1, max: 12 }),
      fc.boolean(),
      (value, limit, asText) => {
        const bytes = Buffer.from(value);
        const low = lowerBound(bytes, limit, asText);
        const high = upperBound(bytes, limit, asText);
        expect(low.length).toBeLessThanOrEqual(limit);
        expect(Buffer.compare(low, bytes)).toBeLessThanOrEqual(0);
        if (high === null) return;
        expect(high.length).toBeLessThanOrEqual(limit);
        expect(Buffer.compare(high, bytes)).toBeGreaterThanOrEqual(0);
        if (asText) expect(Buffer.compare(Buffer.from(high.toString()), high)).toBe(0);
      },
    ),
  );
});

test('ranges compare as the strings in them', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      const all = Buffer.concat([a, b]);
      const order = Math.sign(compareBytes(all, 0, a.length, all, a.length, all.length));
      expect(order).toBe(Buffer.compare(a, b));
    }),
  );
});
