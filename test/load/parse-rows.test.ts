/** Filters and transforms. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Comparison } from '../../src/load/settings.ts';
import { column } from '../support/load-settings.ts';
import { read } from './parse-support.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rows-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('keep', () => {
  const values = [
    'null',
    '1',
    '2.0',
    '10',
    '"10"',
    '"b"',
    '"\\u0062"',
    '"c"',
    'true',
    '"true"',
    '9007199254740993',
    '{}',
  ];
  const lines = ['{}', ...values.map((value) => `{"v":${value}}`)].join('\n');

  test.each<[Comparison, number[]]>([
    [{ in: ['b'] }, [7, 8]],
    [{ in: [2, 'c'] }, [4, 9]],
    [{ in: [null] }, [1, 2]],
    [{ in: [true] }, [10, 11]],
    [{ not: ['b', 10] }, [1, 2, 3, 4, 9, 10, 11, 12, 13]],
    [{ not: [null] }, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]],
    [{ gt: 2 }, [5, 6, 12]],
    [{ gte: 2, lt: 11 }, [4, 5, 6]],
    [{ gte: 'b', lt: 'c' }, [7, 8]],
    [{ lte: 1 }, [3]],
    [{ gt: 0, not: [10] }, [3, 4, 12]],
  ])('%j', async (is, kept) => {
    const settings = { columns: [column('x', 'text')], keep: [{ path: ['v'], is }] };
    const { rows, counts } = await read(lines, settings);
    expect(rows.map(([line]) => line)).toEqual(kept);
    expect(counts).toEqual({ rowsIn: 13, rowsOut: kept.length, filtered: 13 - kept.length, rejected: 0 });
  });

  test('comes before the checks: what is not kept is never a reject', async () => {
    const settings = {
      columns: [column('n', 'integer', { required: true })],
      keep: [{ path: ['kind'], is: { in: ['a'] } }],
    };
    const { rows, rejects, counts } = await read(
      '{"kind":"b","n":"x"}\n{"kind":"a","n":1}\n{"kind":"b"}\n{"kind":"a"}\n{',
      settings,
    );
    expect(rows.length).toBe(1);
    expect(rejects.map((reject) => reject.slice(0, 4))).toEqual(['4: n', '5: b']);
    expect(counts.filtered).toBe(2);
  });

  test('sees the default of the column at its place', async () => {
    const settings = { columns: [column('n', 'integer', { default: 5 })], keep: [{ path: ['n'], is: { gt: 4 } }] };
    expect((await read('{}\n{"n":4}\n{"n":null}', settings)).rows).toEqual([
      [1, '5'],
      [3, '5'],
    ]);
  });

  test('on CSV: its numbers are texts', async () => {
    const settings = { columns: [column('n', 'integer')], keep: [{ path: ['n'], is: { gte: 10 } }] };
    expect((await read('n\n9\n10\n"11"\n\nx', settings, 'a.csv')).rows.map(([line]) => line)).toEqual([3, 4]);
  });
});

describe('a transform', () => {
  const transform = async (body: string): Promise<string> => {
    const path = join(folder, `${Math.random().toString(36).slice(2)}.ts`);
    await writeFile(path, body);
    return path;
  };

  test('gives none, one or more rows of a row; columns and filters are of what it gives', async () => {
    const path = await transform(
      `import type { Transform } from '${join(import.meta.dirname, '../../src/load/transform.ts')}';
       export const transform: Transform<{ n: number }> = ({ n }, { drop, line }) =>
         n === 0 ? null : n === 1 ? { id: n, at: new Date(0), from: drop } : Array.from({ length: n }, (_, i) => ({ id: i, at: line }));`,
    );
    const settings = {
      columns: [column('id', 'integer'), column('at', 'text')],
      transform: path,
      keep: [{ path: ['id'], is: { not: [2] } }],
    };
    const { rows, counts } = await read('{"n":0}\n{"n":1}\n\n{"n":3}', settings);
    expect(rows).toEqual([
      [2, '1', '1970-01-01T00:00:00.000Z'],
      [4, '0', '4'],
      [4, '1', '4'],
    ]);
    expect(counts).toEqual({ rowsIn: 3, rowsOut: 3, filtered: 1, rejected: 0 });
  });

  test('numbers beyond 2^53 come exactly and leave exactly', async () => {
    const path = await transform(
      'export default (row: any) => ({ ...row, kind: typeof row.id + " " + typeof row.price })',
    );
    const settings = {
      columns: [column('id', 'bigint'), column('price', 'numeric'), column('kind', 'text')],
      transform: path,
    };
    const { rows } = await read(
      '{"id":9007199254740993,"price":0.12345678901234567891}\n{"id":1,"price":1.5}',
      settings,
    );
    expect(rows).toEqual([
      [1, '9007199254740993', '0.12345678901234567891', 'bigint string'],
      [2, '1', '1.5', 'number number'],
    ]);
  });

  test('what it throws, a promise, or something that is no row makes a reject with the original line', async () => {
    const path = await transform(
      `export const transform = (row) => {
         if (row.n === 1) throw new Error('no ones\\0');
         return { 2: 5, 3: [null], 4: Promise.resolve(1), 5: [{ id: 1 }, { id: 'x' }], 6: { id: NaN }, 7: { id: 7n } }[row.n];
       };`.replaceAll('(row)', '(row: any): any'),
    );
    const settings = { columns: [column('id', 'numeric')], transform: path };
    const { rows, rejects, texts, counts } = await read(
      [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `{"n":${n}}`).join('\n'),
      settings,
    );
    expect(rows).toEqual([
      [6, 'NaN'],
      [7, '7'],
    ]);
    expect(rejects).toEqual([
      '1: transform: no ones\ufffd',
      '2: transform: returned a number for a row',
      '3: transform: returned null for a row',
      '4: transform: returned a promise: it must return its rows at once',
      "5: id: 'x' is no number",
    ]);
    expect(texts).toEqual([1, 2, 3, 4, 5].map((n) => `{"n":${n}}`));
    expect(counts).toEqual({ rowsIn: 8, rowsOut: 2, filtered: 1, rejected: 5 });
  });

  test('gets a CSV record by its header', async () => {
    const path = await transform('export default ({ a, b }: any) => ({ id: Number(a), at: b })');
    const settings = { columns: [column('id', 'integer'), column('at', 'text')], transform: path };
    expect((await read('a,b\n1,"x ""y"""\n2,', settings, 'a.csv')).rows).toEqual([
      [2, '1', 'x "y"'],
      [3, '2', null],
    ]);
  });

  test.each([
    ['is async', 'export const transform = async () => []', 'is async'],
    ['has no function', 'export const other = 1', 'exports no function'],
    ['does not load', 'export const transform = (', 'cannot be loaded'],
  ])('that %s is an error of the configuration', async (_, body, words) => {
    const path = await transform(body);
    const reading = read('{}', { columns: [column('id', 'integer')], transform: path });
    await expect(reading).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(`loads.events.transform: ${path} ${words}`),
    });
  });
});

test('a default that its column refuses is an error of the configuration', async () => {
  await expect(read('{}', { columns: [column('n', 'integer', { default: 'x' })] })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: "loads.events.columns.n.default 'x' is no whole number",
  });
});
