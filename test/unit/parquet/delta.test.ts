import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deltaBound, int64At, stepsOfInt32, stepsOfInt64, writeDelta } from '../../../src/parquet/delta.ts';

function words64(values: readonly bigint[]): Int32Array {
  return new Int32Array(BigInt64Array.from(values).buffer);
}

function written32(values: number[]): string {
  const steps = new Float64Array(values.length);
  const width = stepsOfInt32(Int32Array.from(values), values.length, steps);
  const out = Buffer.alloc(deltaBound(values.length, width));
  return out.toString('hex', 0, writeDelta(values[0] ?? 0, steps, 0, values.length, out, 0));
}

describe('the examples of the format', () => {
  test('1 to 5: steps of 1 take no bits', () => {
    // Block 128, 4 miniblocks, 5 values, first 1; least step 1, widths 0 0 0 0.
    expect(written32([1, 2, 3, 4, 5])).toBe('8001' + '04' + '05' + '02' + '02' + '00000000');
  });
  test('7, 5, 3, 1, 2, 3, 4, 5: steps -2 and 1 in two bits', () => {
    expect(written32([7, 5, 3, 1, 2, 3, 4, 5])).toBe(`800104080e0302000000c03f${'00'.repeat(6)}`);
  });
});

test('one value is a header without blocks', () => {
  expect(written32([-3])).toBe('80010401' + '05');
});

describe('what delta must not touch', () => {
  test('int32 steps beyond 32 bits', () => {
    const steps = new Float64Array(2);
    expect(stepsOfInt32(Int32Array.of(-1, 2147483647), 2, steps)).toBe(-1);
    expect(stepsOfInt32(Int32Array.of(0, 2147483647), 2, steps)).toBe(31);
    expect(stepsOfInt32(Int32Array.of(0, -2147483648), 2, steps)).toBe(32);
  });
  test('int64 values that a double cannot hold, and steps too far apart', () => {
    const steps = new Float64Array(2);
    expect(stepsOfInt64(words64([0n, 2n ** 53n]), 2, steps)).toBe(-1);
    expect(stepsOfInt64(words64([-(2n ** 53n), 0n]), 2, steps)).toBe(-1);
    expect(stepsOfInt64(words64([-(2n ** 51n), 2n ** 51n]), 2, steps)).toBe(-1);
    expect(stepsOfInt64(words64([2n ** 51n, -(2n ** 51n)]), 2, steps)).toBe(-1);
    expect(stepsOfInt64(words64([2n ** 53n - 1n, 2n ** 53n - 2n]), 2, steps)).toBe(1);
  });
});

test('whatever the steps, reading gives the values back, within the bound', () => {
  const climb = fc.tuple(
    fc.integer({ min: 0, max: 51 }),
    fc.array(fc.bigInt({ min: -(2n ** 51n), max: 2n ** 51n }), { maxLength: 300 }),
  );
  fc.assert(
    fc.property(
      fc.bigInt({ min: 1n - 2n ** 53n, max: 2n ** 53n - 1n }),
      climb,
      fc.nat(300),
      (first, [bits, raw], cut) => {
        const values = [first];
        for (const step of raw) {
          const next = values.at(-1)! + BigInt.asIntN(bits + 1, step);
          values.push(next < 2n ** 53n && next > -(2n ** 53n) ? next : first);
        }
        const words = words64(values);
        const steps = new Float64Array(values.length);
        const width = stepsOfInt64(words, values.length, steps);
        if (width < 0) return;
        const from = Math.min(cut, values.length - 1);
        const bound = deltaBound(values.length - from, width);
        const out = Buffer.alloc(bound + 64);
        const size = writeDelta(int64At(words, from), steps, from, values.length, out, 0);
        expect(size).toBeLessThanOrEqual(bound);
        expect(read(out.subarray(0, size))).toEqual(values.slice(from));
      },
    ),
  );
});

/** As the specification has it, without a thought for speed. */
function read(bytes: Buffer): bigint[] {
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const zigzag = () => {
    const value = varint();
    return value & 1n ? -(value >> 1n) - 1n : value >> 1n;
  };
  const block = Number(varint());
  const minis = Number(varint());
  const count = Number(varint());
  const values = [zigzag()];
  while (values.length < count) {
    const least = zigzag();
    const widths = [...bytes.subarray(at, at + minis)];
    at += minis;
    for (const width of widths) {
      if (values.length >= count) {
        // Miniblocks that are not there have no bytes; their widths are 0 by our own choice.
        expect(width).toBe(0);
        continue;
      }
      const packed = BigInt(
        `0x${
          Buffer.from(bytes.subarray(at, at + (block / minis / 8) * width))
            .reverse()
            .toString('hex') || '0'
        }`,
      );
      at += (block / minis / 8) * width;
      for (let i = 0; i < block / minis && values.length < count; i++) {
        values.push(values.at(-1)! + least + BigInt.asUintN(width, packed >> BigInt(i * width)));
      }
    }
  }
  expect(at).toBe(bytes.length);
  return values;
}
