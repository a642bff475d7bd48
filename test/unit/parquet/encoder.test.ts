import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Compressor } from '../../../src/parquet/compressor.ts';
import { ParquetFile } from '../../../src/parquet/file.ts';
import { ENCODING } from '../../../src/parquet/page-header.ts';
import { type EncodedRowGroup, RowGroupEncoder } from '../../../src/parquet/row-group.ts';
import type { ParquetColumn } from '../../../src/parquet/schema.ts';
import { queryDuckdb, readWithDuckdb, readWithHyparquet } from '../../support/parquet-readers.ts';
import {
  type Cell,
  column,
  columnData,
  plain,
  TYPES,
  writeGroups,
  writeParquet,
} from '../../support/parquet-writer.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parquet-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const LONG = column('n', TYPES.long);
const TEXT = column('t', TYPES.string);

function encode(one: ParquetColumn, cells: Cell[], compressor = new Compressor()): Promise<EncodedRowGroup> {
  return new RowGroupEncoder([one], compressor).encode(cells.length, [columnData(one, cells)]);
}

const range = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
/** Different numbers without an order that a delta could use. */
const scattered = (i: number) => BigInt.asIntN(64, BigInt(i + 1) * 0x9e3779b97f4a7c15n);

describe('the encoding of a chunk', () => {
  test.each([
    ['few different strings', TEXT, range(1000, (i) => `v${i % 7}`), ENCODING.dictionary],
    ['strings all different', TEXT, range(1000, (i) => `v${i}`), ENCODING.plain],
    ['few different numbers', LONG, range(1000, (i) => scattered(i % 9)), ENCODING.dictionary],
    ['a sequence', LONG, range(1000, (i) => BigInt(i)), ENCODING.delta],
    ['numbers without order', LONG, range(1000, scattered), ENCODING.plain],
    ['booleans', column('b', TYPES.boolean), range(1000, (i) => i % 2 === 0), ENCODING.plain],
    ['few different decimals', column('d', TYPES.decimal38), range(1000, (i) => BigInt(i % 5)), ENCODING.dictionary],
    ['a handful of rows', LONG, [1n, 2n, 3n], ENCODING.plain],
    ['no value at all', LONG, [null, null], ENCODING.plain],
  ] as [string, ParquetColumn, Cell[], number][])('%s', async (_, one, cells, encoding) => {
    const { chunks } = await encode(one, cells);
    expect(chunks[0].encoding).toBe(encoding);
    expect(chunks[0].dictionaryBytes > 0).toBe(encoding === ENCODING.dictionary);
  });

  test('a sequence takes next to nothing', async () => {
    const { bytes } = await encode(
      LONG,
      range(100_000, (i) => BigInt(i)),
    );
    expect(bytes).toBeLessThan(1000);
  });

  test('what did not pay is forgotten after some groups', async () => {
    const encoder = new RowGroupEncoder([TEXT], new Compressor());
    const encodings: number[] = [];
    for (let group = 0; group < 20; group++) {
      const cells = range(100, (i) => (group === 0 ? `v${i}` : 'same'));
      encodings.push((await encoder.encode(100, [columnData(TEXT, cells)])).chunks[0].encoding);
    }
    expect(encodings.indexOf(ENCODING.dictionary)).toBe(17);
  });

  test('a chunk of a few bytes is stored, a longer one compressed', async () => {
    expect((await encode(LONG, [1n])).chunks[0].codec).toBe('none');
    expect((await encode(TEXT, ['x'.repeat(1000)])).chunks[0].codec).toBe('zstd');
  });
});

test('a value repeated is written once', async () => {
  const types = [TYPES.long, TYPES.string, TYPES.boolean, TYPES.decimal38].map((type, i) => column(`c${i}`, type));
  const values = [7n, 'u', true, -5n];
  const rows = 1000;
  const group = types.map(({ type }, i) => ({
    values: plain(type, [values[i]]),
    count: rows,
    repeated: true,
    validity: null,
  }));
  const path = join(folder, 'repeated.parquet');
  const file = await writeGroups(path, types, [rows], [group]);
  const read = await readWithHyparquet(path);
  expect(read).toEqual(await readWithDuckdb(path));
  expect(types.map(({ name }) => new Set(read[name]))).toEqual([
    new Set(['7']),
    new Set(['u']),
    new Set(['true']),
    new Set(['-0.0000000005']),
  ]);
  expect(read.c0).toHaveLength(rows);
  expect(file.bounds('c0')).toMatchObject({ min: plain(TYPES.long, [7n]), max: plain(TYPES.long, [7n]) });
});

test('the buffers are free again when encode returns, before its promise resolves', async () => {
  const cells = range(50_000, (i) => `value ${i}`);
  const numbers = range(50_000, scattered);
  const columns = [TEXT, LONG];
  const group = [columnData(TEXT, cells), columnData(LONG, numbers)];
  const file = new ParquetFile(columns, { createdBy: 'x' });
  const pending = new RowGroupEncoder(columns, new Compressor()).encode(cells.length, group);
  for (const { values } of group) values.fill(0);
  const parts = [file.start(), ...file.append(await pending), file.finish()];
  const path = join(folder, 'reused.parquet');
  await (await import('node:fs/promises')).writeFile(path, parts);
  expect(await readWithHyparquet(path)).toEqual({ t: cells, n: numbers.map(String) });
});

test('values that do not begin at a multiple of eight bytes are read all the same', async () => {
  const { values, ...rest } = columnData(
    LONG,
    range(200, (i) => BigInt(i * i)),
  );
  const shifted = Buffer.alloc(values.length + 3).subarray(3);
  values.copy(shifted);
  const path = join(folder, 'shifted.parquet');
  await writeGroups(path, [LONG], [200], [[{ values: shifted, ...rest }]]);
  expect((await readWithHyparquet(path)).n).toEqual(range(200, (i) => String(i * i)));
});

describe('pages', () => {
  const pagesOf = async (one: ParquetColumn, cells: Cell[], pageBytes: number) => {
    const encoder = new RowGroupEncoder([one], new Compressor(), { pageBytes, plainOnly: true });
    return (await encoder.encode(cells.length, [columnData(one, cells)])).chunks[0].dataPages;
  };
  test('hold as many values as fit, and at least one', async () => {
    // A hundred bytes and their length: ten to a page.
    const strings = range(110, () => 'x'.repeat(100));
    expect(await pagesOf(TEXT, strings, 1040)).toBe(11);
    expect(await pagesOf(TEXT, strings, 1039)).toBe(13);
    expect(await pagesOf(TEXT, strings, 1)).toBe(110);
    expect(await pagesOf(LONG, range(100, BigInt), 80)).toBe(10);
    expect(await pagesOf(LONG, range(100, BigInt), 1)).toBe(100);
  });
  test('count values, not rows', async () => {
    const cells = range(100, (i) => (i % 2 === 0 ? BigInt(i) : null));
    expect(await pagesOf(LONG, cells, 80)).toBe(5);
  });
  test('begin where a row of a list begins', async () => {
    const list = column('l', TYPES.long, { list: true });
    // Pages of three values: rows of two are never split, a row of ten makes a page of its own.
    expect(
      await pagesOf(
        list,
        range(6, () => [1n, 2n]),
        24,
      ),
    ).toBe(6);
    expect(await pagesOf(list, [[1n], range(10, BigInt), [1n, 2n]], 24)).toBe(3);
  });
});

describe('sizes', () => {
  test('a file without rows', async () => {
    const path = join(folder, 'empty.parquet');
    const file = await writeParquet(path, [LONG, TEXT], { n: [], t: [] });
    expect(await readWithHyparquet(path)).toEqual({ n: [], t: [] });
    expect(await readWithDuckdb(path)).toEqual({ n: [], t: [] });
    expect([file.rows, file.bounds('n')]).toEqual([0n, null]);
  });

  test('1,500 columns in a hundred groups of two rows', async () => {
    const columns = range(1500, (i) => column(`c${i}`, [TYPES.long, TYPES.string, TYPES.date][i % 3]));
    const group = columns.map((c, i) => columnData(c, i % 3 === 1 ? ['a', null] : [i, i + 1]));
    const path = join(folder, 'wide.parquet');
    await writeGroups(path, columns, Array(100).fill(2), Array(100).fill(group));
    const read = await queryDuckdb(
      `select count(*)::int n, sum(c0)::int a, max(c1499)::varchar b, count(c1)::int c from '${path}'`,
    );
    expect(read).toEqual({ n: ['200'], a: ['100'], b: ['1974-02-09'], c: ['100'] });
  });

  test('one value of 100 MB among short ones', async () => {
    const huge = 'ab'.repeat(50_000_000);
    const path = join(folder, 'huge.parquet');
    const file = await writeParquet(path, [TEXT], { t: ['short', huge, null, 'last'] });
    const read = await queryDuckdb(`select length(t)::int l, md5(t) m from '${path}'`);
    const { createHash } = await import('node:crypto');
    const md5 = (text: string) => createHash('md5').update(text).digest('hex');
    expect(read).toEqual({ l: ['5', '100000000', null, '4'], m: [md5('short'), md5(huge), null, md5('last')] });
    expect(file.bounds('t')).toMatchObject({ minExact: false, maxExact: true });
  });
});

describe('bounds over groups', () => {
  test('are the least and the greatest of all, groups without values aside', async () => {
    const cells = [3n, 9n, null, null, -4n, 5n];
    const file = await writeParquet(join(folder, 'bounds.parquet'), [LONG], { n: cells }, { rowsPerGroup: 2 });
    expect(file.bounds('n')).toEqual({
      min: plain(TYPES.long, [-4n]),
      max: plain(TYPES.long, [9n]),
      minExact: true,
      maxExact: true,
    });
    expect(file.bounds('other')).toBeNull();
  });
  test('are unknown when one group has a NaN', async () => {
    const double = column('d', TYPES.double);
    const file = await writeParquet(
      join(folder, 'nan.parquet'),
      [double],
      { d: [1, Number.NaN, 3] },
      { rowsPerGroup: 1 },
    );
    expect(file.bounds('d')).toBeNull();
  });
  test('span both zeros of a float', async () => {
    const double = column('d', TYPES.double);
    const file = await writeParquet(join(folder, 'zeros.parquet'), [double], { d: [0, -0] });
    expect(file.bounds('d')).toMatchObject({ min: plain(TYPES.double, [-0]), max: plain(TYPES.double, [0]) });
  });
});

test('bytes and rows count what was written', async () => {
  const path = join(folder, 'counted.parquet');
  const file = await writeParquet(path, [TEXT], { t: range(1000, (i) => `row ${i}`) }, { rowsPerGroup: 300 });
  expect(file.bytes).toBe((await readFile(path)).length);
  expect(file.rows).toBe(1000n);
});

describe('input that contradicts itself', () => {
  const encoder = () => new RowGroupEncoder([LONG], new Compressor());
  test('fewer bytes than values', async () => {
    const short = { values: Buffer.alloc(8), count: 2, validity: null };
    await expect(encoder().encode(2, [short])).rejects.toMatchObject({ code: 'INTERNAL' });
  });
  test('fewer values than rows, and none of them null', async () => {
    const missing = { values: Buffer.alloc(8), count: 1, validity: null };
    await expect(encoder().encode(2, [missing])).rejects.toMatchObject({ code: 'INTERNAL' });
  });
  test('more values than the validity has', async () => {
    const many = { values: Buffer.alloc(16), count: 2, validity: Uint8Array.of(1, 0) };
    await expect(encoder().encode(2, [many])).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});
