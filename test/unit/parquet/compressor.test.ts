import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { Compressor } from '../../../src/parquet/compressor.ts';

function page(compressor: Compressor, size: number): Buffer {
  return compressor.page(size).fill('tidemark ', 0, size);
}

const expand = { zstd: zstdDecompressSync, gzip: gunzipSync, none: (bytes: Buffer) => bytes };

test.each(['zstd', 'gzip', 'none'] as const)('pages of every size come back (%s)', async (codec) => {
  const compressor = new Compressor(codec);
  for (const size of [1, 12_000, 13_000, 5_000_000]) {
    const body = await compressor.compress(page(compressor, size), size);
    expect(expand[codec](body).equals(Buffer.alloc(size, 'tidemark '))).toBe(true);
  }
});

test('small pages come without a promise, none at all without a codec', () => {
  const zstd = new Compressor('zstd');
  expect(zstd.compress(page(zstd, 1000), 1000)).toBeInstanceOf(Buffer);
  const large = zstd.compress(page(zstd, 100_000), 100_000);
  expect(large).toBeInstanceOf(Promise);
  const none = new Compressor('none');
  expect(none.compress(page(none, 100_000), 100_000)).toBeInstanceOf(Buffer);
  return large;
});

test('many pages at once keep apart, and their buffers serve the next ones', async () => {
  const compressor = new Compressor('zstd');
  const sizes = Array.from({ length: 40 }, (_, i) => 20_000 + i * 1000);
  const used = new Set<ArrayBufferLike>();
  for (let round = 0; round < 2; round++) {
    const bodies = sizes.map((size, i) => {
      const buffer = compressor.page(size).fill(i + 40 * round, 0, size);
      if (round === 0) used.add(buffer.buffer);
      else expect(used.has(buffer.buffer), 'a buffer of the first round').toBe(true);
      return compressor.compress(buffer, size);
    });
    for (const [i, body] of (await Promise.all(bodies)).entries()) {
      expect(zstdDecompressSync(body).equals(Buffer.alloc(sizes[i], i + 40 * round))).toBe(true);
    }
  }
});

test('a higher level takes fewer bytes', () => {
  const sample = Buffer.from(Array.from({ length: 4000 }, (_, i) => `${i * 7} `).join(''));
  expect(new Compressor('gzip', 9).compressedSize(sample)).toBeLessThan(
    new Compressor('gzip', 1).compressedSize(sample),
  );
  expect(new Compressor('none').compressedSize(sample)).toBe(sample.length);
});
