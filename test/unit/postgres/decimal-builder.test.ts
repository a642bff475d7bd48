import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecimalBuilder } from '../../../src/postgres/builders/numeric.ts';
import { numericText } from '../../../src/postgres/render.ts';
import { batchOf, numericField } from './fields.ts';

/** A value of the wire: `digits` base-10000 digits, the first counting 10000^weight. */
type Numeric = { negative: boolean; weight: number; digits: number[]; special?: number };

const digit = fc.oneof(fc.constantFrom(0, 1, 9, 10, 999, 1000, 8999, 9000, 9999), fc.nat(9999));
/** As Postgres sends them: no zeros at either end. */
const numeric: fc.Arbitrary<Numeric> = fc
  .record({
    negative: fc.boolean(),
    weight: fc.oneof(fc.integer({ min: -4, max: 4 }), fc.integer({ min: -40, max: 40 })),
    digits: fc.array(digit, { maxLength: 12 }),
  })
  .map(({ negative, weight, digits }) => {
    const first = digits.findIndex((d) => d !== 0);
    const stripped = first < 0 ? [] : digits.slice(first, digits.findLastIndex((d) => d !== 0) + 1);
    return { negative: negative && stripped.length > 0, weight: stripped.length === 0 ? 0 : weight, digits: stripped };
  });

/** Scaled to `scale` places, or null where digits would be lost or there is no room. */
function scaled({ negative, weight, digits, special }: Numeric, precision: number, scale: number): bigint | null {
  if (special) return null;
  let value = 0n;
  for (const d of digits) value = value * 10_000n + BigInt(d);
  const places = (weight - digits.length + 1) * 4 + scale;
  if (places >= 0) value *= 10n ** BigInt(places);
  else if (value % 10n ** BigInt(-places) !== 0n) return null;
  else value /= 10n ** BigInt(-places);
  return value < 10n ** BigInt(precision) ? (negative ? -value : value) : null;
}

function readBack(values: Buffer, precision: number): bigint[] {
  const width = precision <= 9 ? 4 : precision <= 18 ? 8 : 16;
  return Array.from({ length: values.length / width }, (_, i) => {
    if (width === 4) return BigInt(values.readInt32LE(i * 4));
    if (width === 8) return values.readBigInt64LE(i * 8);
    return (values.readBigInt64BE(i * 16) << 64n) | values.readBigUInt64BE(i * 16 + 8);
  });
}

const SPECIAL: Numeric[] = [0xc000, 0xd000, 0xf000].map((special) => ({
  negative: false,
  weight: 0,
  digits: [],
  special,
}));

function check(values: (Numeric | null)[], precision: number, scale: number): void {
  const unfit: string[] = [];
  const builder = new DecimalBuilder(precision, scale, (row, text) => unfit.push(`${row} ${text()}`));
  const { bytes, view, at } = batchOf(values.map((value) => value && numericField(value)));
  // In two batches, the second one of which begins in the middle of the offsets.
  const half = values.length >> 1;
  builder.append(bytes, view, at, 0, half);
  builder.append(bytes, view, at, half, values.length - half);
  const data = builder.take();
  const expected = values.map((value) => value && scaled(value, precision, scale));
  expect(readBack(data.values, precision)).toEqual(expected.filter((value) => value !== null));
  expect(data.count).toBe(expected.filter((value) => value !== null).length);
  const present = expected.map((value) => (value === null ? 0 : 1));
  expect(data.validity ? [...data.validity] : present.map(() => 1)).toEqual(present);
  const texts = values.flatMap((value, i) => {
    if (!value || expected[i] !== null) return [];
    const field = numericField(value);
    return `${i < half ? i : i - half} ${numericText(new DataView(field.buffer, field.byteOffset), 0)}`;
  });
  expect(unfit).toEqual(texts);
}

test('every numeric arrives as BigInt arithmetic says, or is unfit', () => {
  const shape = fc
    .integer({ min: 1, max: 38 })
    .chain((precision) => fc.tuple(fc.constant(precision), fc.nat(precision)));
  const value = fc.oneof({ weight: 9, arbitrary: numeric }, fc.constant(null), fc.constantFrom(...SPECIAL));
  fc.assert(
    fc.property(shape, fc.array(value, { maxLength: 30 }), ([precision, scale], values) =>
      check(values, precision, scale),
    ),
    { numRuns: 2_000 },
  );
});

describe('at the edges of what a double holds', () => {
  const parts = [0, 1, 9, 10, 99, 100, 999, 1000, 8999, 9000, 9007, 9999];
  test.each([
    [9, 0],
    [9, 4],
    [15, 2],
    [16, 0],
    [16, 4],
    [18, 2],
    [19, 0],
    [20, 3],
    [38, 10],
  ])('decimal(%i,%i)', (precision, scale) => {
    const values: Numeric[] = [];
    for (const a of parts.slice(1))
      for (const b of parts)
        for (const weight of [0, 1, 2, 3, 4]) {
          values.push({ negative: b % 2 === 1, weight, digits: [a, 1992, 5474, b].slice(0, b === 0 ? 1 : 4) });
        }
    check(values, precision, scale);
  });
});

test('numbers far out of every precision are refused without being raised to their power', () => {
  check(
    [
      { negative: false, weight: 32_767, digits: [1] },
      { negative: true, weight: -4096, digits: [1] },
    ],
    38,
    38,
  );
});
