import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { column, createQueryLake, type QueryLake } from './query-lake.ts';

let lake: QueryLake;
beforeAll(async () => {
  lake = await createQueryLake();
  await lake.add('invoice', [
    { select: "SELECT i::INTEGER AS id, 'n' || i AS name FROM range(0, 1000) t(i)" },
    { select: "SELECT i::INTEGER AS id, 'n' || i AS name FROM range(1000, 2000) t(i)" },
  ]);
  const columns = [column('id', 'BIGINT'), column('name', 'VARCHAR'), column('paid', 'TIMESTAMP WITH TIME ZONE')];
  const later = "SELECT i::BIGINT AS id, 'n' || i AS name, TIMESTAMPTZ '2026-01-02 03:04:05.678901+00' AS paid";
  await lake.add('invoice', [{ select: `${later} FROM range(2000, 3000) t(i)` }], columns);
  await lake.add('odd-name.v2', [{ select: 'SELECT 1::BIGINT AS "Größe, ""cm"""' }]);
  await lake.add('empty', [], [column('id', 'BIGINT')]);
});
afterAll(() => lake[Symbol.asyncDispose]());

test('a staged table is a view by the name of its folder', async () => {
  expect(await lake.rows('SELECT count(*) AS n, min(id) AS low, max(id) AS high FROM invoice')).toEqual([
    { n: 3000, low: 0, high: 2999 },
  ]);
  expect(await lake.rows('FROM "odd-name.v2"')).toEqual([{ 'Größe, "cm"': 1 }]);
  expect(await lake.rows('FROM empty')).toEqual([]);
});

test('columns are those of the table: older files have NULL for a later one, and narrower numbers are widened', async () => {
  expect(await lake.rows('DESCRIBE invoice')).toMatchObject([
    { column_name: 'id', column_type: 'BIGINT' },
    { column_name: 'name', column_type: 'VARCHAR' },
    { column_name: 'paid', column_type: 'TIMESTAMP WITH TIME ZONE' },
  ]);
  expect(await lake.rows('FROM invoice WHERE id IN (5, 2005) ORDER BY id')).toEqual([
    { id: 5, name: 'n5', paid: null },
    { id: 2005, name: 'n2005', paid: '2026-01-02T03:04:05.678901Z' },
  ]);
});

test('an older version is what the table was then', async () => {
  expect(await lake.rows('SELECT count(*) AS n FROM invoice', '--at-version', '0')).toEqual([{ n: 2000 }]);
  expect(await lake.rows('DESCRIBE invoice', '--at-version', '0')).toHaveLength(2);
  const gone = await lake.query('--at-version', '9', 'FROM invoice');
  expect(gone).toMatchObject({ code: 2, stderr: expect.stringMatching(/^STAGED_VERSION: .*no version 9/) });
});

test('several tables, subqueries, common table expressions and names in any case', async () => {
  const sql = `WITH few AS (SELECT id FROM Invoice WHERE id < 3), odd AS (FROM "odd-name.v2")
    SELECT (SELECT count(*) FROM INVOICE) AS n, (SELECT count(*) FROM few) AS s, (SELECT count(*) FROM odd) AS o`;
  expect(await lake.rows(sql)).toEqual([{ n: 3000, s: 3, o: 1 }]);
});

test('only the tables that are named are opened', async () => {
  await lake.add('broken', [{ select: 'SELECT 1::BIGINT AS id' }]);
  const { rm } = await import('node:fs/promises');
  await rm(`${lake.cwd}/lake/staged/broken/_delta_log/00000000000000000000.json`);
  expect(await lake.rows('SELECT count(*) AS n FROM empty')).toEqual([{ n: 0 }]);
  await rm(`${lake.cwd}/lake/staged/broken`, { recursive: true });
});

test('SHOW TABLES lists what is staged', async () => {
  expect(await lake.rows('SHOW TABLES')).toEqual([{ name: 'empty' }, { name: 'invoice' }, { name: 'odd-name.v2' }]);
});

test('an unknown table: its nearest name and the list', async () => {
  const { code, stderr } = await lake.query('SELECT * FROM invioce');
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: `TABLE_UNKNOWN: no table invioce is staged\nhint: did you mean invoice? there are empty, invoice, odd-name.v2; tidemark compact stages what was exported\ndocs: docs/errors.md#table_unknown\n`,
  });
});

describe('deletion vectors', () => {
  test('the rows that they delete are not there', async () => {
    await lake.add('marked', [
      { select: 'SELECT i::BIGINT AS id FROM range(0, 10000) t(i)', gone: [0, 1, 9999] },
      { select: 'SELECT i::BIGINT AS id FROM range(10000, 20000) t(i)' },
      { select: 'SELECT i::BIGINT AS id FROM range(20000, 30000) t(i)', gone: [5] },
    ]);
    const sql = 'SELECT count(*) AS n, sum(id) AS sum FROM marked';
    const all = (30000 * 29999) / 2;
    expect(await lake.rows(sql)).toEqual([{ n: 29996, sum: all - 1 - 9999 - 20005 }]);
    // Files that are left out change the numbers of those that stay.
    expect(await lake.rows('FROM marked WHERE id BETWEEN 20004 AND 20006')).toEqual([{ id: 20004 }, { id: 20006 }]);
    expect(await lake.rows('SELECT m.id FROM marked m JOIN marked o USING (id) WHERE id < 3')).toEqual([{ id: 2 }]);
  });

  test('a hundred thousand of them', async () => {
    const gone = Array.from({ length: 100_000 }, (_, i) => i * 3);
    await lake.add('many', [{ select: 'SELECT i::BIGINT AS id FROM range(400000) t(i)', gone }]);
    expect(await lake.rows('SELECT count(*) AS n, count(*) FILTER (id % 3 = 0) AS thirds FROM many')).toEqual([
      { n: 300_000, thirds: 33_334 },
    ]);
  });
});
