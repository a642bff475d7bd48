import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ParquetType } from '../../../src/parquet/schema.ts';
import { boundsOf, mergeBounds } from '../../../src/parquet/statistics.ts';
import { plain, TYPES, type Value } from '../../support/parquet-writer.ts';

function bounds(type: ParquetType, values: readonly Value[]) {
  const bytes = Buffer.alloc(plain(type, values).length);
  plain(type, values).copy(bytes);
  return boundsOf(type, bytes, values.length);
}

const stored = (type: ParquetType, value: Value) => plain(type, [value]).subarray(type.physical === 'bytes' ? 4 : 0);

const small = fc.string({ unit: fc.constantFrom('a', 'b', 'ž', '\u{10ffff}'), maxLength: 6 });
const KINDS: [string, ParquetType, fc.Arbitrary<Value>, (a: never, b: never) => number][] = [
  ['integers', TYPES.integer, fc.integer(), (a: number, b: number) => a - b],
  ['longs', TYPES.long, fc.bigInt({ min: -(2n ** 33n), max: 2n ** 33n }), (a: bigint, b: bigint) => (a < b ? -1 : 1)],
  ['doubles', TYPES.double, fc.double({ noNaN: true }).map((v) => v || 1), (a: number, b: number) => a - b],
  [
    'decimals',
    TYPES.decimal38,
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
    (a: bigint, b: bigint) => (a < b ? -1 : 1),
  ],
  ['strings', TYPES.string, small, (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))],
  ['booleans', TYPES.boolean, fc.boolean(), (a: boolean, b: boolean) => Number(a) - Number(b)],
];

describe.each(KINDS)('%s', (_, type, value, compare) => {
  test('have the least and the greatest of them as bounds', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 20 }), (values) => {
        const sorted = [...values].sort(compare as never);
        const { min, max } = bounds(type, values);
        expect([min?.toString('hex'), max?.toString('hex')]).toEqual([
          stored(type, sorted[0]).toString('hex'),
          stored(type, sorted.at(-1)!).toString('hex'),
        ]);
      }),
    );
  });
  test('of two groups together are those of all', () => {
    const some = fc.array(value, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(some, some, (a, b) => {
        expect(mergeBounds(type, bounds(type, a), bounds(type, b))).toEqual(bounds(type, [...a, ...b]));
      }),
    );
  });
});

test('no value, no bounds', () => {
  expect(bounds(TYPES.long, [])).toMatchObject({ min: null, max: null });
});

test('a NaN anywhere makes bounds unknown', () => {
  expect(bounds(TYPES.double, [1, 2, Number.NaN])).toMatchObject({ min: null, max: null });
  expect(bounds(TYPES.float, [Number.NaN, 1])).toMatchObject({ min: null, max: null });
});

test('a shortened bound stays inexact when merged, and an unknown one unknown', () => {
  const long = bounds(TYPES.string, ['b'.repeat(100)]);
  expect(long).toMatchObject({ minExact: false, maxExact: false });
  const merged = mergeBounds(TYPES.string, bounds(TYPES.string, ['a']), long);
  expect(merged).toMatchObject({ minExact: true, maxExact: false, max: Buffer.from(`${'b'.repeat(63)}c`) });
  const endless = bounds(TYPES.string, ['\u{10ffff}'.repeat(20)]);
  expect(endless).toMatchObject({ max: null, minExact: false });
  expect(mergeBounds(TYPES.string, endless, merged).max).toBeNull();
});
