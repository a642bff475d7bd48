import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeletionVectorRef } from '../../../../src/compact/delta/actions.ts';
import { decodeBase85, encodeBase85 } from '../../../../src/compact/delta/base85.ts';
import { decodeVector, encodeVectors, vectorPath } from '../../../../src/compact/delta/deletion-vector.ts';

const UUID = 'd2c639aa-8816-431a-aaf6-d3fe2512ff61';

/** As in delta-kernel's own tests; the bytes of PROTOCOL.md's "JSON Example 3" are of an older draft, with another magic number. */
const INLINE: DeletionVectorRef = {
  storageType: 'i',
  pathOrInlineDv: '^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L',
  sizeInBytes: 44,
  cardinality: 6,
};

function written(...positions: number[][]): { file: Buffer; refs: DeletionVectorRef[] } {
  return encodeVectors(positions, UUID);
}

function roundTrip(positions: number[]): number[] {
  const { file, refs } = written(positions);
  return decodeVector(refs[0], file);
}

const range = (from: number, count: number, step = 1) => Array.from({ length: count }, (_, i) => from + i * step);

describe('the examples of the protocol', () => {
  test('an inline vector', () => {
    expect(vectorPath(INLINE)).toBeNull();
    expect(decodeVector(INLINE, null)).toEqual([3, 4, 7, 11, 18, 29]);
  });

  test('ours has the same bytes', () => {
    const { file, refs } = written([3, 4, 7, 11, 18, 29]);
    expect(refs).toEqual([
      { storageType: 'u', pathOrInlineDv: '^-aqEH.-t@S}K{vb[*k^', offset: 1, sizeInBytes: 44, cardinality: 6 },
    ]);
    expect(encodeBase85(file.subarray(5, 49))).toBe(INLINE.pathOrInlineDv);
  });

  test('the file of a vector with a prefix', () => {
    expect(vectorPath({ ...INLINE, storageType: 'u', pathOrInlineDv: 'ab^-aqEH.-t@S}K{vb[*k^' })).toBe(
      `ab/deletion_vector_${UUID}.bin`,
    );
  });
});

describe('positions', () => {
  test.each([
    ['none', []],
    ['the first row', [0]],
    ['the most that an array container holds', range(0, 4096, 3)],
    ['one more: a bitmap', range(0, 4097, 3)],
    ['a whole container', range(65_536, 65_536)],
    ['every second of a million', range(1, 500_000, 2)],
    ['far apart', [5, 70_000, 65_536 * 9, 2 ** 32 - 1]],
    ['beyond 2^32', [7, 2 ** 32, 2 ** 32 + 70_000, 2 ** 40 + 3]],
  ])('%s', (_, positions) => {
    expect(roundTrip(positions)).toEqual(positions);
  });

  test('any ascending ones, several vectors in a file', () => {
    const sparse = fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 33 }), { maxLength: 300 });
    const dense = fc
      .tuple(fc.integer({ min: 0, max: 200_000 }), fc.integer({ min: 1, max: 9_000 }), fc.integer({ min: 1, max: 7 }))
      .map(([from, count, step]) => range(from, count, step));
    const positions = fc.oneof(
      sparse,
      dense,
      fc.tuple(sparse, dense).map(([a, b]) => [...new Set([...a, ...b])]),
    );
    fc.assert(
      fc.property(fc.array(positions, { minLength: 1, maxLength: 4 }), (lists) => {
        const ordered = lists.map((list) => list.toSorted((a, b) => a - b));
        const { file, refs } = encodeVectors(ordered, randomUUID());
        expect(refs.map((ref) => decodeVector(ref, file))).toEqual(ordered);
        expect(new Set(refs.map(vectorPath)).size).toBe(1);
        const last = refs.at(-1)!;
        expect(file.length).toBe(last.offset! + 4 + last.sizeInBytes + 4);
      }),
      { numRuns: 60 },
    );
  });

  test.each([[[3, 2]], [[3, 3]], [[-1]], [[0.5]]])('%j would be written where no reader finds them', (positions) => {
    expect(() => written(positions)).toThrow(RangeError);
  });
});

/** A vector in the log itself around a roaring bitmap of 32-bit values. */
function inline(bitmap: number[], cardinality: number): DeletionVectorRef {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(1681511377, 0);
  head.writeUInt32LE(1, 4);
  const data = Buffer.concat([head, Buffer.from(bitmap)]);
  return { storageType: 'i', pathOrInlineDv: encodeBase85(data), sizeInBytes: data.length, cardinality };
}

test('containers of runs, as Spark writes them', () => {
  // Cookie 12347 with one container; it is of runs; key 2, 6 values; two runs: 5..8 and 100..101.
  const bitmap = [0x3b, 0x30, 0, 0, 1, 2, 0, 5, 0, 2, 0, 5, 0, 3, 0, 100, 0, 1, 0];
  const first = 2 * 65_536;
  expect(decodeVector(inline(bitmap, 6), null)).toEqual([5, 6, 7, 8, 100, 101].map((low) => first + low));
});

test('four containers and more have offsets beside their runs', () => {
  const heads = [0, 1, 2, 3].flatMap((key) => [key, 0, 0, 0]);
  const offsets = new Array(16).fill(0);
  // The second of the four is of runs.
  const bitmap = [0x3b, 0x30, 3, 0, 0b0010, ...heads, ...offsets, 9, 0, 1, 0, 8, 0, 0, 0, 7, 0, 6, 0];
  expect(decodeVector(inline(bitmap, 4), null)).toEqual([9, 65_536 + 8, 131_072 + 7, 196_608 + 6]);
});

describe('a damaged vector is an error', () => {
  const { file, refs } = written([1, 5], range(0, 5_000, 2));
  const damaged = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(file);
    change(bytes);
    return bytes;
  };
  const broken = expect.objectContaining({ code: 'STAGED_BROKEN' });

  test('any byte of a vector and what frames it', () => {
    const { offset, sizeInBytes } = refs[0];
    for (let at = offset!; at < offset! + 4 + sizeInBytes + 4; at++) {
      const bytes = damaged((copy) => copy.writeUInt8(copy[at] ^ 0x10, at));
      expect(() => decodeVector(refs[0], bytes)).toThrow(broken);
      expect(decodeVector(refs[1], bytes)).toHaveLength(5_000);
    }
  });

  test('its file is cut short, or of a later version', () => {
    expect(() => decodeVector(refs[1], file.subarray(0, -1))).toThrow(broken);
    expect(() =>
      decodeVector(
        refs[1],
        damaged((copy) => copy.writeUInt8(2, 0)),
      ),
    ).toThrow(broken);
  });

  test('the log counts other rows, or gives another place or size', () => {
    expect(() => decodeVector({ ...refs[0], cardinality: 3 }, file)).toThrow(broken);
    expect(() => decodeVector({ ...refs[0], offset: 2 }, file)).toThrow(broken);
    expect(() => decodeVector({ ...refs[0], sizeInBytes: 20 }, file)).toThrow(broken);
  });

  test('an inline one', () => {
    expect(() => decodeVector({ ...INLINE, pathOrInlineDv: INLINE.pathOrInlineDv.slice(0, 45) }, null)).toThrow(broken);
    expect(() => decodeVector({ ...INLINE, pathOrInlineDv: `0${INLINE.pathOrInlineDv.slice(1)}` }, null)).toThrow(
      broken,
    );
    expect(() => decodeVector({ ...INLINE, sizeInBytes: 36 }, null)).toThrow(broken);
  });

  test('a name that is none', () => {
    expect(() => vectorPath({ ...refs[0], pathOrInlineDv: 'too short' })).toThrow(broken);
    expect(() => vectorPath({ ...refs[0], pathOrInlineDv: '"'.repeat(20) })).toThrow(broken);
  });
});

test('a vector outside of the table is not ours to read', () => {
  const absolute: DeletionVectorRef = {
    ...INLINE,
    storageType: 'p',
    pathOrInlineDv: 's3://other/deletion_vector.bin',
    offset: 1,
  };
  expect(() => vectorPath(absolute)).toThrow(expect.objectContaining({ code: 'STAGED_UNSUPPORTED' }));
});

describe('base 85', () => {
  test("the specification's example", () => {
    expect(encodeBase85(Buffer.from('864fd26fb559f75b', 'hex'))).toBe('HelloWorld');
    expect(decodeBase85('HelloWorld')?.toString('hex')).toBe('864fd26fb559f75b');
  });

  test('any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const decoded = decodeBase85(encodeBase85(Buffer.from(bytes)))!;
        expect([...decoded.subarray(0, bytes.length)]).toEqual([...bytes]);
        expect(decoded.length).toBe(Math.ceil(bytes.length / 4) * 4);
      }),
    );
  });

  test.each(['abcd', 'ab de', '#####'])('%s is none', (text) => {
    expect(decodeBase85(text)).toBeNull();
  });
});
