/** Packed drops: strict to the last byte, and never more unpacked than allowed. */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { column } from '../support/load-settings.ts';
import { read } from './parse-support.ts';

const A = { columns: [column('a', 'integer'), column('b', 'text')] };
const LINES = '{"a":1,"b":"x"}\n{"a":2}\n';
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'unpack-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const PACKINGS = [
  ['gzip', (text: string | Buffer) => gzipSync(text), 'a.jsonl.gz'],
  ['zstd', (text: string | Buffer) => zstdCompressSync(text, { params: { 201: 1 } }), 'a.jsonl.zst'],
] as const;

describe.each(PACKINGS)('%s', (packing, pack, name) => {
  test('is unpacked whatever the name says', async () => {
    for (const key of [name, 'a.jsonl', 'a']) expect((await read(pack(LINES), A, key)).rows.length).toBe(2);
  });

  test('cut at any byte is dead', async () => {
    const packed = pack(LINES);
    for (let length = 0; length < packed.length; length++) {
      const { dead } = await read(packed.subarray(0, length), A, name);
      expect(dead, `${length} of ${packed.length} bytes`).not.toBeNull();
    }
  });

  test('with any byte changed it is dead, or still says the same', async () => {
    const packed = pack(LINES);
    const whole = (await read(packed, A, name)).rows;
    for (let at = 0; at < packed.length; at++) {
      const damaged = Buffer.from(packed);
      damaged[at] ^= 0x55;
      const { dead, rows } = await read(damaged, A, name);
      if (dead === null) expect(rows, `byte ${at}`).toEqual(whole);
    }
  });

  test('may have several parts; nothing else may follow', async () => {
    const parts = Buffer.concat([pack('{"a":1}\n{"a"'), pack(':2}\n')]);
    expect((await read(parts, A, name)).rows.map(([, a]) => a)).toEqual(['1', '2']);
    for (const rest of ['x', '\0', '{"a":3}\n', '\x1f\x8b']) {
      expect((await read(Buffer.concat([parts, Buffer.from(rest, 'latin1')]), A, name)).dead, rest).toContain(packing);
    }
  });

  test('larger than what is unpacked at once: the same rows, the same strictness', async () => {
    const text = Array.from({ length: 20_000 }, (_, a) =>
      JSON.stringify({ a, b: randomBytes(600).toString('base64') }),
    ).join('\n');
    const path = join(folder, name);
    const packed = Buffer.concat([pack(text.slice(0, 1000)), pack(text.slice(1000))]);
    for (const source of ['bytes', 'path']) {
      const readIt = (bytes: Buffer) => {
        writeFileSync(path, bytes);
        return read(source === 'path' ? { path } : bytes, A, name);
      };
      const { dead, rows } = await readIt(packed);
      expect(dead).toBeNull();
      expect(rows.map(([, a]) => Number(a))).toEqual(Array.from({ length: 20_000 }, (_, a) => a));
      expect((await readIt(packed.subarray(0, -1))).dead).toContain(packing);
      expect((await readIt(Buffer.concat([packed, Buffer.from('x')]))).dead).toContain(packing);
      const damaged = Buffer.from(packed);
      damaged[packed.length - 2] ^= 1;
      expect((await readIt(damaged)).dead).toContain(packing);
    }
  });

  test('a bomb is dead before it is unpacked', async () => {
    const bomb = pack(Buffer.alloc(100_000_000, 10));
    const limits = { lineBytes: 1_000_000, inflatedBytes: 1_000_000_000, ratio: 200 };
    const before = process.memoryUsage().rss;
    expect((await read(bomb, { ...A, limits }, name)).dead).toBe(
      'unpacks to more than 200 times its size (limits.ratio)',
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(80_000_000);
    const small = { lineBytes: 1_000_000, inflatedBytes: 30_000_000, ratio: 100_000 };
    expect((await read(bomb, { ...A, limits: small }, name)).dead).toBe('more than 30000000 bytes (limits.inflated)');
  });
});

test('a name that promises gzip over a plain text is a client that unpacked it; over anything else it is dead', async () => {
  expect((await read(LINES, A, 'a.jsonl.gz')).rows.length).toBe(2);
  expect((await read(Buffer.from([1, 2, 3]), A, 'a.jsonl.gz')).dead).toBe('not gzip, which its name promises');
  expect((await read('', A, 'a.jsonl')).rows).toEqual([]);
});

test('a line longer than the limit is a reject, those around it are rows', async () => {
  const limits = { lineBytes: 100_000, inflatedBytes: 1_000_000_000, ratio: 200 };
  const long = `{"b":"${'x'.repeat(9_000_000)}"}`;
  const fits = `{"b":"${'x'.repeat(100_000 - 8)}"}`;
  const text = [`{"a":1}`, long, fits, `${fits} `, '{"a":2}', long].join('\n');
  const path = join(folder, 'long.jsonl');
  writeFileSync(path, text);
  for (const source of [text, { path }]) {
    const { rows, rejects, texts } = await read(source, { ...A, limits });
    expect(rows.map(([line]) => line)).toEqual([1, 3, 5]);
    expect(rejects).toEqual([2, 4, 6].map((line) => `${line}: longer than 100000 bytes`));
    expect(Math.max(...texts.map((shown) => shown.length))).toBeLessThanOrEqual(64 * 1024);
  }
});

test('rejects beyond the first ten thousand are counted', async () => {
  const { counts, rejects, rows } = await read('{"a":"x"}\n'.repeat(12_000) + LINES, A);
  expect(counts).toEqual({ rowsIn: 12_002, rowsOut: 2, filtered: 0, rejected: 12_000 });
  expect(rejects.length).toBe(10_000);
  expect(rows.length).toBe(2);
});
