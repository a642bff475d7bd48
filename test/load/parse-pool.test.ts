/** The pool with real threads: every drop is answered, whatever happens to the thread that reads it. */

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Duck } from '../../src/duckdb/duck.ts';
import { ParserPool } from '../../src/load/parse/parser-pool.ts';
import { column, loadSettings } from '../support/load-settings.ts';

const A = { columns: [column('a', 'integer'), column('b', 'text')] };
const never = new AbortController().signal;
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pool-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const transform = async (name: string, body: string) => {
  const path = join(folder, `${name}.ts`);
  await writeFile(path, body);
  return path;
};

test('many drops at once, each answered with its own rows', async () => {
  await using pool = await ParserPool.open(loadSettings(A), 2);
  const drops = Array.from({ length: 200 }, (_, i) => i);
  const results = await Promise.all(
    drops.map(async (i) => {
      const text = `{"a":${i}}\n`.repeat(i % 7);
      const path = join(folder, `${i}.jsonl.gz`);
      if (i % 2) await writeFile(path, gzipSync(text));
      // A part of Node's shared memory, as small buffers are: the rest of that must stay.
      const source = i % 2 ? { path } : { bytes: Buffer.from(text) as Buffer<ArrayBuffer> };
      return pool.parse(source, { key: `${i}.jsonl`, number: i }, never);
    }),
  );
  results.forEach((result, i) => {
    if (result.state !== 'parsed') throw new Error(JSON.stringify(result));
    expect(result.rows).toBeInstanceOf(Buffer);
    const lines = Array.from({ length: i % 7 }, (_, line) => `${i}\t${line + 1}\t${i}\t\\N\n`);
    expect(result.rows.toString()).toBe(lines.join(''));
  });
});

test('the original text of some lines again', async () => {
  await using pool = await ParserPool.open(loadSettings(A), 1);
  const source = { bytes: bytesOf('{"a":1}\n\n{"a": 3 }\n{"a":\n') };
  const lines = await pool.lines(source, { key: 'a.jsonl', number: 0 }, [3, 4, 9], never);
  expect([...lines]).toEqual([
    [3, '{"a": 3 }'],
    [4, '{"a":'],
  ]);
  const csv = { bytes: bytesOf('a,b\n1,"x\ny"\n2,z\n') };
  expect([...(await pool.lines(csv, { key: 'a.csv', number: 0 }, [2], never))]).toEqual([[2, 'a,b\n1,"x\ny"']]);
});

describe('a drop that kills its thread is dead, all others are read', () => {
  test.each([
    ['process.exit', 'process.exit(3)', 'it ended with exit code 3'],
    [
      'an error out of nowhere',
      `setImmediate(() => { throw new Error('later') }); const end = Date.now() + 50; while (Date.now() < end);`,
      'later',
    ],
    ['memory', 'const all: unknown[] = []; while (true) all.push(new Array(100_000).fill({}));', 'out of memory'],
  ])('by %s', async (name, deed, reason) => {
    const path = await transform(
      name.replace(/\W/g, '-'),
      `export const transform = (row: any) => { if (row.a === 7) { ${deed} } return row; };`,
    );
    await using pool = await ParserPool.open(loadSettings({ ...A, transform: path }), 2);
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, a) =>
        pool.parse({ bytes: bytesOf(`{"a":${a}}`) }, { key: 'x', number: a }, never),
      ),
    );
    // What is thrown out of nowhere may come when the drop has its answer.
    const dead = results.flatMap((result, i) => (result.state === 'dead' ? [[i, result.reason]] : []));
    if (reason !== 'later') expect(dead).toEqual([[7, `the thread that read it died: ${reason}`]]);
    else expect(dead.length).toBeLessThanOrEqual(1);
    for (const [i, result] of results.entries()) {
      if (result.state === 'parsed') expect(result.rows.toString()).toBe(`${i}\t1\t${i}\t\\N\n`);
    }
  });
});

test('what a transform prints does not get into stdout', async () => {
  const path = await transform(
    'prints',
    `export const transform = (row: any) => { console.log('hello'); return row; };`,
  );
  const write = process.stdout.write;
  let printed = '';
  process.stdout.write = ((chunk: string) => {
    printed += chunk;
    return true;
  }) as typeof process.stdout.write;
  try {
    await using pool = await ParserPool.open(loadSettings({ ...A, transform: path }), 1);
    await pool.parse({ bytes: bytesOf('{"a":1}') }, { key: 'x', number: 0 }, never);
  } finally {
    process.stdout.write = write;
  }
  expect(printed).toBe('');
});

test('a transform that does not load: the pool does not open', async () => {
  const path = await transform('broken', 'export const nothing = 1;');
  await expect(ParserPool.open(loadSettings({ ...A, transform: path }), 2)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    hint: expect.any(String),
  });
});

test('aborted: what waits and what runs is given up, even in a loop that never ends', async () => {
  const path = await transform('loops', 'export const transform = () => { while (true); };');
  const pool = await ParserPool.open(loadSettings({ ...A, transform: path }), 1);
  const controller = new AbortController();
  const reading = [1, 2, 3, 4].map((a) =>
    pool.parse({ bytes: bytesOf(`{"a":${a}}`) }, { key: 'x', number: a }, controller.signal),
  );
  controller.abort(new Error('enough'));
  for (const one of reading) await expect(one).rejects.toThrow('enough');
  await pool[Symbol.asyncDispose]();
});

describe('Parquet', () => {
  const write = async (select: string, name: string) => {
    await using duck = await Duck.open({
      memoryBytes: 100e6,
      threads: 1,
      tempFolder: join(folder, 'duck'),
      tempBytes: 1e8,
    });
    const path = join(folder, name);
    await (await duck.connect()).run(`COPY (${select}) TO '${path}' (FORMAT parquet)`, never);
    return path;
  };
  const columns = [
    column('id', 'bigint'),
    column('price', 'numeric'),
    column('at', 'timestamptz'),
    column('name', 'text'),
    column('tags', 'text[]'),
    column('raw', 'bytea'),
    column('ratio', 'double precision'),
    column('ok', 'boolean'),
    column('inner', 'integer', { path: ['s', 'x'] }),
  ];

  test('its values arrive exactly; a row is its number in the file', async () => {
    const path = await write(
      `SELECT 9007199254740993::bigint AS id, 12345678901234567890.1234567890::decimal(38,10) AS price, TIMESTAMPTZ '2025-04-19 10:00:00.123456+02' AS at,
       'a"b\\\t€' AS name, ['x', 'y z', NULL] AS tags, '\\x00\\xFF'::blob AS raw, 'nan'::double AS ratio, true AS ok, {'x': 5} AS s
       UNION ALL SELECT NULL, NULL, NULL, '', NULL, NULL, 0.1, NULL, NULL UNION ALL SELECT 3, 1, NULL, NULL, [], NULL, 1e300, false, {'x': 99999999999}`,
      'values.parquet',
    );
    await using pool = await ParserPool.open(loadSettings({ columns }), 1);
    const result = await pool.parse({ path }, { key: 'values.parquet', number: 2 }, never);
    if (result.state !== 'parsed') throw new Error(JSON.stringify(result));
    expect(result.rows.toString().split('\n')).toEqual([
      '2\t1\t9007199254740993\t12345678901234567890.1234567890\t2025-04-19 08:00:00.123456+00\ta"b\\\\\\t€\t{"x","y z",NULL}\t\\\\x00ff\tNaN\tt\t5',
      '2\t2\t\\N\t\\N\t\\N\t\t\\N\t\\N\t0.1\t\\N\t\\N',
      '',
    ]);
    expect(result.rejects).toMatchObject([
      { line: 3, column: 'inner', reason: "inner: '99999999999' is out of the range of integer" },
    ]);
    // Its text is a drop of its own.
    const again = await pool.parse(
      { bytes: bytesOf(result.rejects[0].text) },
      { key: 'values.parquet', number: 0 },
      never,
    );
    expect(again).toMatchObject({ counts: { rowsIn: 1, rejected: 1 } });
    expect(await pool.lines({ path }, { key: 'values.parquet', number: 0 }, [3], never)).toEqual(
      new Map([[3, result.rejects[0].text]]),
    );
  });

  test('cut, or no Parquet: dead; as bytes: nothing is left behind', async () => {
    const path = await write('SELECT i AS id FROM range(100000) t(i)', 'many.parquet');
    const { readFile } = await import('node:fs/promises');
    const whole = new Uint8Array(await readFile(path));
    const before = await leftovers();
    await using pool = await ParserPool.open(loadSettings({ columns }), 2);
    const parse = (bytes: Uint8Array<ArrayBuffer>) => pool.parse({ bytes }, { key: 'many.parquet', number: 0 }, never);
    const [all, cut, none] = await Promise.all([
      parse(whole.slice()),
      parse(whole.slice(0, -100)),
      parse(bytesOf('nothing of it')),
    ]);
    expect(all).toMatchObject({ state: 'parsed', counts: { rowsIn: 100_000, rowsOut: 100_000 } });
    expect(cut).toMatchObject({ state: 'dead', reason: expect.stringMatching(/^parquet: /) });
    expect(none).toMatchObject({ state: 'dead', reason: expect.stringMatching(/^parquet: /) });
    await pool[Symbol.asyncDispose]();
    expect(await leftovers()).toEqual(before);
  });

  const leftovers = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('tidemark-load-'));
});
