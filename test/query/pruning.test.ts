import { readdir, readFile, rm } from 'node:fs/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createQueryLake, type QueryLake } from './query-lake.ts';

// Every type that has bounds, rows in an order that is none, NULLs, a file without statistics and one with deleted rows.
const ROW = `i::BIGINT AS id, (i % 7)::SMALLINT AS small, (i / 3)::DECIMAL(12, 2) AS price, i * 10.0::DECIMAL(30, 4) AS wide,
  CASE WHEN i % 5 > 0 THEN 'key ' || lpad(i::VARCHAR, 5, '0') || repeat('ü', (i % 40)::INTEGER) END AS name,
  DATE '2026-01-01' + (i / 10)::INTEGER AS day, TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_microseconds(i * 500_111) AS stamp,
  CASE WHEN i % 11 = 0 THEN 'NaN'::DOUBLE ELSE i END AS size, i > 500 AS late`;
const FILES = 10;
const PER_FILE = 100;

let lake: QueryLake;
beforeAll(async () => {
  lake = await createQueryLake();
  const files = Array.from({ length: FILES }, (_, n) => ({
    select: `SELECT ${ROW} FROM range(${n * PER_FILE}, ${(n + 1) * PER_FILE}) t(i) ORDER BY hash(i)`,
    stats: n !== 3,
    gone: n === 5 ? [0, 7, 99] : undefined,
  }));
  await lake.add('t', files);
});
afterAll(() => lake[Symbol.asyncDispose]());

// Mostly where a file begins or ends: there a bound that is off by one shows.
const value = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: FILES }), fc.integer({ min: -2, max: 1 }))
      .map(([n, i]) => n * PER_FILE + i),
  },
  { weight: 1, arbitrary: fc.integer({ min: -50, max: FILES * PER_FILE + 50 }) },
);
const OPERATORS = ['=', '<', '<=', '>', '>=', '<>', 'IS NOT DISTINCT FROM'];
const comparison = fc
  .tuple(
    fc.constantFrom('id', 'small', 'price', 'wide', 'name', 'day', 'stamp', 'size'),
    fc.constantFrom(...OPERATORS),
    value,
  )
  .map(
    ([column, operator, i]) =>
      `${column} ${operator} (SELECT ${column} FROM (SELECT ${ROW} FROM range(${i}, ${i + 1}) r(i)))`,
  );
/** The same with constants, which is what reaches the scans. */
const constant = fc
  .tuple(
    fc.constantFrom('id', 'small', 'price', 'wide', 'name', 'day', 'stamp', 'size'),
    fc.constantFrom(...OPERATORS),
    value,
  )
  .map(([column, operator, i]) => {
    const forms: Record<string, string> = {
      id: `${i}`,
      small: `${i % 9}`,
      price: `${(i / 3).toFixed(2)}`,
      wide: `${i * 10}.0001`,
      name: `'key ${String(Math.max(0, i)).padStart(5, '0')}${'ü'.repeat(Math.abs(i % 40))}'`,
      day: `DATE '2026-01-01' + ${Math.floor(i / 10)}`,
      stamp: `TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_microseconds(${i} * 500111)`,
      size: i % 4 === 0 ? `'NaN'::DOUBLE` : `${i}`,
    };
    return `${column} ${operator} ${forms[column]}`;
  });
const { condition } = fc.letrec<{ condition: string }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 2 },
    { weight: 8, arbitrary: constant },
    comparison,
    fc.constantFrom(
      'name IS NULL',
      'name IS NOT NULL',
      'late',
      'NOT late',
      "name LIKE 'key 003%'",
      'id IN (5, 250, 999)',
      'id BETWEEN 120 AND 130',
    ),
    fc.tuple(tie('condition'), tie('condition')).map(([a, b]) => `(${a} AND ${b})`),
    fc.tuple(tie('condition'), tie('condition')).map(([a, b]) => `(${a} OR ${b})`),
    tie('condition').map((a) => `NOT (${a})`),
  ),
}));

test('whatever the condition is, the rows are those that a look into every file gives', async () => {
  const gone = new Set(['0', '7', '99']);
  const folder = `${lake.cwd}/lake/staged/t`;
  const log = (await readFile(`${folder}/_delta_log/00000000000000000000.json`, 'utf8'))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const adds = log.flatMap(({ add }) => add ?? []);
  const marked = adds.find((add) => add.deletionVector).path;
  const paths = adds.map(({ path }) => `'${folder}/${path}'`);
  const signal = new AbortController().signal;
  await lake.connection.run(
    `CREATE TABLE truth AS SELECT * EXCLUDE (filename, file_row_number) FROM read_parquet([${paths}], filename = true, file_row_number = true)
     WHERE NOT (filename LIKE '%${marked}' AND file_row_number IN (${[...gone].join(', ')}))`,
    signal,
  );
  await fc.assert(
    fc.asyncProperty(condition, async (where) => {
      const sql = (table: string) =>
        `SELECT count(*)::INTEGER AS n, coalesce(sum(id), 0)::INTEGER AS sum FROM ${table} WHERE ${where}`;
      const [expected] = await lake.connection.rows(sql('truth'), signal);
      expect(await lake.rows(sql('t'))).toEqual([expected]);
    }),
    { numRuns: 150 },
  );
});

test('files that the statistics exclude are not opened', async () => {
  await lake.add('apart', [
    { select: `SELECT ${ROW} FROM range(0, 100) t(i)` },
    { select: `SELECT ${ROW} FROM range(1000, 1100) t(i)` },
  ]);
  const folder = `${lake.cwd}/lake/staged/apart`;
  const lines = (await readFile(`${folder}/_delta_log/00000000000000000000.json`, 'utf8')).split('\n').filter(Boolean);
  const [, second] = lines.map((line) => JSON.parse(line)).flatMap(({ add }) => add ?? []);
  expect(await readdir(folder)).toContain(second.path);
  await rm(`${folder}/${second.path}`);
  const without = [
    'id < 500',
    'id = 50',
    'id IN (1, 2, 3)',
    'id BETWEEN 5 AND 10 AND small = 3',
    'price < 30.5',
    "name = 'key 00001ü'",
    "name LIKE 'key 000%'",
    "day < '2026-01-15'",
    "stamp < '2026-01-01 00:01:00Z'",
    'id < 10 OR id = 20',
    'late IS NULL',
    'id < 5 AND stamp > now() - INTERVAL 100 YEAR',
  ];
  for (const where of without) {
    const { code, stderr } = await lake.query(`SELECT * FROM apart WHERE ${where}`);
    expect({ where, code, stderr }).toEqual({ where, code: 0, stderr: '' });
  }
  const joined = 'SELECT count(*) AS n FROM t JOIN apart a ON t.id = a.id WHERE a.id < 10';
  expect(await lake.rows(joined)).toEqual([{ n: 10 }]);
  // Of two scans of one table each needs its own files.
  for (const where of ['id >= 1000', 'small = 3', 'name IS NULL', 'id = (SELECT max(id) FROM t)']) {
    const { code, stderr } = await lake.query(`SELECT * FROM apart WHERE ${where}`);
    expect({ where, code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/^STAGED_BROKEN/) });
  }
  const both = 'SELECT * FROM apart a, apart b WHERE a.id < 10 AND b.id > 1000';
  expect(await lake.query(both)).toMatchObject({ code: 1, stderr: expect.stringMatching(/^STAGED_BROKEN/) });
  // Its columns need none.
  expect(await lake.rows('DESCRIBE apart')).toHaveLength(9);
});
