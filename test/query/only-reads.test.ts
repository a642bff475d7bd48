import { readdir, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createQueryLake, type QueryLake } from './query-lake.ts';

let lake: QueryLake;
beforeAll(async () => {
  lake = await createQueryLake();
  await lake.add('t', [{ select: 'SELECT i::BIGINT AS id FROM range(100) r(i)' }]);
  await writeFile(`${lake.cwd}/secret.csv`, 'a,b\n1,hidden\n');
  await writeFile(`${lake.cwd}/secret.json`, '{"a": "hidden"}');
});
afterAll(() => lake[Symbol.asyncDispose]());

test.each([
  'SELECT count(*) AS n FROM t',
  'FROM t',
  'TABLE t',
  'WITH w AS (FROM t) SELECT * FROM w;',
  '(SELECT 1) UNION ALL (SELECT 2) -- and a comment',
  'VALUES (1), (2)',
  'DESCRIBE t;',
  'DESCRIBE SELECT id FROM t',
  'SHOW t',
  'SUMMARIZE t',
  '/* first */ EXPLAIN SELECT * FROM t',
  'EXPLAIN ANALYZE SELECT * FROM t',
  'EXPLAIN (FORMAT json) FROM t',
  'PIVOT t ON id IN (1, 2) USING count(*)',
  "SELECT * FROM query_table('t')",
  'SELECT a.id FROM t a JOIN t b USING (id) ASOF JOIN t c ON a.id >= c.id',
])('a statement that reads: %s', async (sql) => {
  const { code, stdout, stderr } = await lake.query(sql);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).not.toBe('');
});

describe('what does more than read is refused, and nothing has changed', () => {
  test.each([
    "COPY t TO '$cwd/out.csv'",
    "COPY (SELECT 1 AS id) TO '$file' (USE_TMP_FILE false)",
    "EXPLAIN ANALYZE COPY (SELECT 1 AS id) TO '$file' (USE_TMP_FILE false)",
    "EXPLAIN (ANALYZE) COPY (SELECT 1 AS id) TO '$file' (USE_TMP_FILE false)",
    "/* c */ EXPLAIN -- c\n ANALYZE COPY (SELECT 1 AS id) TO '$file' (USE_TMP_FILE false)",
    'EXPLAIN ANALYZE DELETE FROM t',
    "ATTACH '$cwd/x.db'",
    'INSTALL httpfs',
    'LOAD json',
    'PRAGMA database_list',
    'SET threads = 1',
    'SET enable_external_access = true',
    'RESET allowed_directories',
    'CREATE TABLE x AS SELECT 1',
    'CREATE OR REPLACE VIEW t AS SELECT 1',
    'INSERT INTO t VALUES (1)',
    'UPDATE t SET id = 1',
    'DELETE FROM t',
    'DROP TABLE t',
    'ALTER TABLE t ADD COLUMN x INTEGER',
    'BEGIN',
    'COMMIT',
    'CALL pragma_version()',
    'CHECKPOINT',
    'VACUUM',
    "EXPORT DATABASE '$cwd/export'",
    "IMPORT DATABASE '$cwd'",
    'PREPARE p AS SELECT 1',
    'EXECUTE p',
    'SELECT 1; SELECT 2',
    'SELECT 1; DROP TABLE t',
    'SELECT $1',
    "SELECT * FROM query('DROP TABLE t')",
    "FROM read_csv('$cwd/secret.csv')",
    "FROM read_json('$cwd/secret.json')",
    "FROM read_text('$cwd/secret.csv')",
    "FROM read_blob('$cwd/secret.csv')",
    "FROM '$cwd/secret.csv'",
    "FROM 'secret.csv'",
    "FROM glob('/etc/*')",
    "FROM read_parquet('$cwd/../*/lake/staged/t/*.parquet')",
    "FROM read_csv('/etc/passwd')",
    "FROM read_csv('http://127.0.0.1:1/x.csv')",
    "FROM read_text('$cwd/lake/staged/../../secret.csv')",
  ])('%s', async (pattern) => {
    const folder = `${lake.cwd}/lake/staged/t`;
    const [name] = (await readdir(folder)).filter((each) => each.endsWith('.parquet'));
    const before = await readFile(`${folder}/${name}`);
    const there = await readdir(lake.cwd);
    const sql = pattern.replace('$cwd', lake.cwd).replace('$file', `${folder}/${name}`);
    const { code, stdout, stderr } = await lake.query(sql);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^(QUERY_INVALID|TABLE_UNKNOWN): /);
    expect(stderr).not.toContain('hidden');
    expect(code).toBe(2);
    expect(await readFile(`${folder}/${name}`)).toEqual(before);
    expect(await readdir(lake.cwd)).toEqual(there);
  });
});

test('a file that is only opened while the statement runs is none that may be', async () => {
  const { code, stdout, stderr } = await lake.query(`FROM sniff_csv('${lake.cwd}/secret.csv')`);
  expect({ code, stdout, stderr }).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^QUERY_FAILED: Permission Error/),
  });
});

test('a mistake in the SQL comes with its place', async () => {
  const messages: [string, string][] = [
    ['SELECT idd FROM t', 'Referenced column "idd" not found in FROM clause! (line 1, column 8, at "idd FROM t")'],
    ["SELECT 'é€😀', idd\n  FROM t", '(line 1, column 15, at "idd")'],
    ['SELECT id\nFROM t\nWHERE nothing > 1', '(line 3, column 7, at "nothing > 1")'],
    ['SELECT 1 +', 'syntax error at end of input (line 1, column 11, at the end)'],
    ['EXPLAIN SELECT idd FROM t', '(line 1, column 16, at "idd FROM t")'],
  ];
  for (const [sql, expected] of messages) {
    const { code, stderr } = await lake.query(sql);
    expect(stderr).toMatch(/^QUERY_INVALID: /);
    expect(stderr).toContain(expected);
    expect(code).toBe(2);
  }
});

test('a mistake that only the rows show is an error of the query', async () => {
  const { code, stderr } = await lake.query("SELECT CASE WHEN id = 99 THEN 'x' ELSE '1' END::INTEGER FROM t");
  expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/^QUERY_FAILED: .*'x'/) });
});

test('no SQL, and a question for two versions, are wrong usage', async () => {
  await lake.add('u', [{ select: 'SELECT 1::BIGINT AS id' }]);
  expect(await lake.query('')).toMatchObject({ code: 2, stderr: expect.stringMatching(/^USAGE: there is no SQL/) });
  expect(await lake.query('--at-version', '0', 'FROM t, u')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^USAGE: --at-version is for a statement that names one/),
  });
  expect(await lake.query('/* nothing */')).toMatchObject({ code: 2, stderr: expect.stringMatching(/^QUERY_INVALID/) });
  expect(await lake.query('--at-version', '-1', 'FROM t')).toMatchObject({ code: 2 });
  expect(await lake.query('--format', 'xml', 'FROM t')).toMatchObject({ code: 2 });
});
