import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createQueryLake, type QueryLake } from './query-lake.ts';

let lake: QueryLake;
beforeAll(async () => {
  lake = await createQueryLake();
});
afterAll(() => lake[Symbol.asyncDispose]());

async function output(sql: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await lake.query(...args, sql);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

describe('json', () => {
  test.each([
    ['1::SMALLINT', '1'],
    ['9007199254740991', '9007199254740991'],
    ['9007199254740992', '"9007199254740992"'],
    ['-9007199254740993', '"-9007199254740993"'],
    ['170141183460469231731687303715884105727', '"170141183460469231731687303715884105727"'],
    ['12.50::DECIMAL(15, 2)', '12.50'],
    ['12.50::DECIMAL(16, 2)', '"12.50"'],
    ['0.1::DOUBLE', '0.1'],
    ['1e300::DOUBLE', '1e+300'],
    ["'NaN'::DOUBLE", '"NaN"'],
    ["'-Infinity'::FLOAT", '"-Infinity"'],
    ['NULL::DOUBLE', 'null'],
    ['true', 'true'],
    ["'say \"hi\"\\n' || chr(10) || chr(0) || '😀'", '"say \\"hi\\"\\\\n\\n\\u0000😀"'],
    ["''", '""'],
    ['NULL', 'null'],
    ["DATE '2026-01-02'", '"2026-01-02"'],
    ["TIMESTAMPTZ '2026-01-02 03:04:05.1+02'", '"2026-01-02T01:04:05.100000Z"'],
    ["TIMESTAMP '0001-01-01 00:00:00.000001'", '"0001-01-01T00:00:00.000001"'],
    ["TIMESTAMPTZ 'infinity'", '"infinity"'],
    ["TIMESTAMPTZ '0044-03-15 (BC) 00:00:00+00'", '"0044-03-15 (BC) 00:00:00+00"'],
    ["'\\x00\\xff'::BLOB", '"\\\\x00ff"'],
    ['[1, NULL, 9007199254740992]', '[1,null,"9007199254740992"]'],
    ["[[TIMESTAMP '2026-01-02 00:00:00'], []]", '[["2026-01-02T00:00:00.000000"],[]]'],
    ["{'a': 1, 'b c': [{'d': 'x'}], 'e': NULL}", '{"a":1,"b c":[{"d":"x"}],"e":null}'],
    ["MAP {'k': 1.5, 'l': NULL}", '{"k":1.5,"l":null}'],
    ['\'{"a":[1,2]}\'::JSON', '{"a":[1,2]}'],
    ['NULL::INTEGER[]', 'null'],
    ['NULL::STRUCT(a INTEGER)', 'null'],
    ["UUID '00000000-0000-0000-0000-00000000000a'", '"00000000-0000-0000-0000-00000000000a"'],
  ])('%s is %s', async (value, expected) => {
    const text = await output(`SELECT ${value} AS v`, '--json');
    expect(text).toBe(`[\n  {"v": ${expected}}\n]\n`);
    JSON.parse(text);
  });

  test('no row, several rows, columns of one name', async () => {
    expect(await output('SELECT 1 AS a WHERE false', '--format', 'json')).toBe('[]\n');
    expect(await output('FROM (VALUES (1), (2)) v(a)', '--format', 'json')).toBe('[\n  {"a": 1},\n  {"a": 2}\n]\n');
    expect(await output('SELECT 1 AS a, 2 AS a, 3 AS "A"', '--format', 'json')).toBe(
      '[\n  {"a": 1, "a_2": 2, "A_3": 3}\n]\n',
    );
    expect(JSON.parse(await output('SELECT * FROM range(5000) r(i)', '--json'))).toHaveLength(5000);
  });
});

describe('csv', () => {
  test('a head, then rows; quotes only where RFC 4180 wants them; NULL and empty text differ', async () => {
    const sql = `SELECT * FROM (VALUES
      (1, 'plain', NULL, 1.50::DECIMAL(5, 2), [1, 2]),
      (2, 'a,b', '', NULL, []),
      (3, 'say "hi"', 'two' || chr(10) || 'lines', -1, NULL),
      (4, ' blank ', chr(13), 0, [NULL])) v(id, "the name", "with ""quotes""", price, list)`;
    expect(await output(sql, '--format', 'csv')).toBe(
      [
        'id,the name,"with ""quotes""",price,list',
        '1,plain,,1.50,"[1,2]"',
        '2,"a,b","",,[]',
        '3,"say ""hi""","two\nlines",-1.00,',
        '4, blank ,"\r",0.00,[null]',
        '',
      ].join('\n'),
    );
  });

  test('every value is there, in the order of the statement', async () => {
    const text = await output('SELECT i, i * 2 AS j FROM range(10000) r(i) ORDER BY i DESC', '--format', 'csv');
    const lines = text.trimEnd().split('\n');
    expect(lines).toHaveLength(10_001);
    expect([lines[0], lines[1], lines.at(-1)]).toEqual(['i,j', '9999,19998', '0,0']);
  });

  test('no row: the head alone', async () => {
    expect(await output('SELECT 1 AS a, 2 AS b WHERE false', '--format', 'csv')).toBe('a,b\n');
  });
});

describe('table', () => {
  test('columns stand below one another, numbers to the right, NULL can be seen', async () => {
    const sql = "SELECT * FROM (VALUES (1, 'short', true), (1000, NULL, false), (-5, '', NULL)) v(id, name, ok)";
    expect(await output(sql)).toBe(
      ['  id  name   ok', '   1  short  true', '1000  NULL   false', '  -5         NULL', '(3 rows)', ''].join('\n'),
    );
  });

  test('a hundred rows, and the count of those that are left out', async () => {
    const lines = (await output('SELECT * FROM range(12345) r(i)')).trimEnd().split('\n');
    expect([lines.length, lines[0], lines[100], lines[101]]).toEqual([102, ' i', '99', '… 12,245 more rows']);
    expect(await output('SELECT * FROM range(101) r(i)')).toMatch(/\n… 1 more row\n$/);
    expect(await output('SELECT 1 AS a WHERE false')).toBe('a\n(0 rows)\n');
  });

  test('nothing in a value commands the terminal or breaks the line', async () => {
    expect(await output("SELECT chr(27) || '[2J' || chr(10) || chr(9) || chr(8238) || 'x' AS v")).toContain(
      '\\x1b[2J\\n\\t\\u202ex',
    );
  });

  test('EXPLAIN is drawn as DuckDB draws it', async () => {
    expect(await output('EXPLAIN SELECT 1')).toContain('PROJECTION');
    expect(JSON.parse(await output('EXPLAIN SELECT 1', '--json'))).toMatchObject([
      { explain_value: expect.any(String) },
    ]);
    expect(await lake.query('--format', 'csv', 'EXPLAIN SELECT 1')).toMatchObject({ code: 2 });
  });
});

describe('a file of --output', () => {
  const read = (name: string) => readFile(`${lake.cwd}/${name}`, 'utf8');

  test('its suffix chooses the format; --format decides', async () => {
    expect(await output('SELECT 1 AS a', '--output', 'a.csv')).toBe('');
    await output('SELECT 1 AS a', '--output', 'a.json');
    await output('SELECT 1 AS a', '--output', 'a.txt');
    await output('SELECT 1 AS a', '--output', 'b.txt', '--format', 'csv');
    expect([await read('a.csv'), await read('a.json'), await read('a.txt'), await read('b.txt')]).toEqual([
      'a\n1\n',
      '[\n  {"a": 1}\n]\n',
      'a\n1\n(1 row)\n',
      'a\n1\n',
    ]);
  });

  test('Parquet, to a file and to another program: types stay, integers of 128 bits stay exact', async () => {
    const sql =
      "SELECT sum(i) AS s, 170141183460469231::HUGEINT AS h, 1.5::DECIMAL(9, 3) AS d, 'x' AS d FROM range(10) r(i)";
    await output(sql, '--output', 'r.parquet');
    const [row] = await lake.connection.rows(
      `SELECT columns(*)::VARCHAR FROM '${lake.cwd}/r.parquet'`,
      new AbortController().signal,
    );
    expect(row).toEqual({ s: '45', h: '170141183460469231', d: '1.500', d_2: 'x' });
    expect((await output('SELECT 1 AS a', '--format', 'parquet')).slice(0, 4)).toBe('PAR1');
  });

  test('it stays as it was when the statement fails', async () => {
    await writeFile(`${lake.cwd}/kept.csv`, 'as it was');
    const failing = "SELECT CASE WHEN i = 999999 THEN 'x' ELSE '1' END::INTEGER FROM range(1000000) r(i)";
    expect(await lake.query('--output', 'kept.csv', failing)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^QUERY_FAILED: Conversion Error: Could not convert string 'x' to INT32/),
    });
    expect(await read('kept.csv')).toBe('as it was');
    expect(await lake.query('--output', 'no/folder.csv', 'SELECT 1')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^USAGE: no\/folder.csv cannot be written: ENOENT/),
    });
    const { readdir } = await import('node:fs/promises');
    expect((await readdir(lake.cwd)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('a statement that fails in the middle of its rows is an error in every format', async () => {
    await lake.add('late', [
      { select: "SELECT i, CASE WHEN i = 999999 THEN 'x' ELSE '1' END AS n FROM range(1000000) r(i)", gone: [5] },
    ]);
    for (const format of ['table', 'csv', 'json', 'parquet']) {
      expect(
        await lake.query('--format', format, 'SELECT n::INTEGER AS n, repeat(n, 50) AS w FROM late'),
      ).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^QUERY_FAILED: Conversion Error: Could not convert string 'x' to INT32/),
      });
    }
  });

  test('--json goes with no other format', async () => {
    expect(await lake.query('--json', '--format', 'csv', 'SELECT 1')).toMatchObject({ code: 2 });
    expect(existsSync(`${lake.cwd}/no`)).toBe(false);
  });
});
