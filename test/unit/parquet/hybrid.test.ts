import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bitWidth, hybridBound, writeHybrid, writeRun } from '../../../src/parquet/hybrid.ts';

function written(values: number[], width: number): string {
  const out = Buffer.alloc(hybridBound(values.length, width));
  return out.toString('hex', 0, writeHybrid(Uint16Array.from(values), 0, values.length, width, out, 0));
}

test('bits that hold a dictionary index', () => {
  expect([1, 2, 3, 4, 5, 8, 9, 4096].map(bitWidth)).toEqual([1, 1, 2, 2, 3, 3, 4, 12]);
});

describe('literals', () => {
  test('the example of the format: 0 to 7 in three bits', () => {
    expect(written([0, 1, 2, 3, 4, 5, 6, 7], 3)).toBe('0388c6fa');
  });
  test('the last group is filled with zeros', () => {
    expect(written([1, 0, 1], 1)).toBe('0305');
    expect(written([1, 2, 3, 1, 2, 3, 1, 2, 3], 2)).toBe('05' + '799e' + '0300');
  });
  test('twelve bits cross the bytes', () => {
    expect(written([0xabc, 0x123], 12)).toBe(`03bc3a12${'00'.repeat(9)}`);
  });
});

describe('runs', () => {
  test('one value, as often as the header says', () => {
    const out = Buffer.alloc(8);
    expect(out.toString('hex', 0, writeRun(1, 100_000, 1, out, 0))).toBe('c09a0c01');
    expect(out.toString('hex', 0, writeRun(0x1ff, 3, 9, out, 0))).toBe('06ff01');
    expect(writeRun(1, 0, 1, out, 0)).toBe(0);
  });
  test('a long run interrupts literals at a multiple of eight', () => {
    const values = [...[0, 1, 0, 1, 0, 1, 0, 1], ...Array<number>(100).fill(1), 0];
    expect(written(values, 1)).toBe('03aa' + 'c80101' + '0300');
  });
  test('a short run stays among the literals', () => {
    expect(written(Array<number>(16).fill(1), 1)).toBe('05ffff');
  });
});

test('whatever the values, reading gives them back, within the bound', () => {
  const runs = fc.array(fc.tuple(fc.nat(65535), fc.oneof(fc.nat(3), fc.nat(200))), { maxLength: 40 });
  fc.assert(
    fc.property(runs, fc.integer({ min: 1, max: 16 }), (pieces, width) => {
      const values = pieces.flatMap(([value, times]) => Array<number>(times).fill(value & ((1 << width) - 1)));
      const bound = hybridBound(values.length, width);
      const out = Buffer.alloc(bound + 64);
      const size = writeHybrid(Uint16Array.from(values), 0, values.length, width, out, 0);
      expect(size).toBeLessThanOrEqual(bound);
      expect(read(out.subarray(0, size), width).slice(0, values.length)).toEqual(values);
    }),
  );
});

/** As the specification has it, a bit at a time. */
function read(bytes: Buffer, width: number): number[] {
  const values: number[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const header = varint();
    if (header & 1) {
      for (let i = 0; i < (header >> 1) * 8; i++) {
        let value = 0;
        for (let bit = 0; bit < width; bit++) {
          const position = i * width + bit;
          value |= ((bytes[at + (position >> 3)] >> (position & 7)) & 1) << bit;
        }
        values.push(value);
      }
      at += (header >> 1) * width;
    } else {
      const value = width > 8 ? bytes[at] | (bytes[at + 1] << 8) : bytes[at];
      at += width > 8 ? 2 : 1;
      values.push(...Array<number>(header >> 1).fill(value));
    }
  }
  return values;
}
