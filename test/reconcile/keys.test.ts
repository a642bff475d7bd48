/** Keys of every kind: found again in the staged table as compactions find them, so that only what is gone is deleted. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createReconcileScene, type ReconcileScene } from '../support/reconciler.ts';

let scene: ReconcileScene;
beforeAll(async () => {
  scene = await createReconcileScene();
  await scene.db.query(`create extension citext; create type mood as enum ('sad', 'ok', 'happy');
    create domain positive as int check (value > 0); create type pair as (a int, b text)`);
});
afterAll(() => scene[Symbol.asyncDispose]());

let tables = 0;

/** Types with values of theirs, the first of which is deleted. */
const KEYS: Record<string, string[]> = {
  smallint: ['-32768', '0', '32767'],
  bigint: ['-9223372036854775808', '9007199254740993', '9223372036854775807'],
  'numeric(10,2)': ['1.10', '-0.01', '99999999.99'],
  'numeric(38,0)': ['99999999999999999999999999999999999999', '-1', '0'],
  numeric: ['1.50', '-12345678901234567890123456789012345678901234567890.5', '0'],
  money: ['1.10', '2.20', '-3.30'],
  real: ['0.1', '-0', '1e30'],
  'double precision': ['0.1', '1e300', 'Infinity'],
  text: ['', 'Ann', 'ann', 'a b', "o'hara", 'é', 'e\u0301', '日本'],
  'text collate "C"': ['Z', 'a', 'é'],
  citext: ['Ann', 'Ünal', 'bob'],
  'char(5)': ['a', 'ab', 'abcde'],
  'varchar(10)': ['x', 'x ', 'X'],
  uuid: [
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    '123e4567-e89b-12d3-a456-426614174000',
  ],
  bytea: ['\\x', '\\x00ff', '\\x00'],
  boolean: ['true', 'false'],
  date: ['0001-01-01', '1969-12-31', '9999-12-31'],
  timestamptz: ['2024-03-31 01:59:59.999999+02', '0001-01-01 00:00:00+00', '2024-10-27 02:30:00+02'],
  timestamp: ['2024-03-31 02:30:00.000001', '1969-12-31 23:59:59.999999', '9999-12-31 00:00:00'],
  time: ['00:00:00', '23:59:59.999999', '24:00:00'],
  interval: ['1 mon', '1 day', '-3 hours'],
  inet: ['10.0.0.1', '10.0.0.0/8', '::1'],
  mood: ['sad', 'ok', 'happy'],
  positive: ['1', '2', '3'],
  jsonb: ['{"a": 1}', '[1, 2]', 'null'],
  'int[]': ['{1,2}', '{}', '{1,NULL}'],
  int4range: ['[1,5)', 'empty', '[2,)'],
  pair: ['(1,x)', '(1,y)', '(2,x)'],
};

test.for(Object.entries(KEYS))('%s', async ([type, values]) => {
  const table = `t${++tables}`;
  await scene.db.query(`create table ${table} (id ${type} primary key, n int)`);
  for (const [i, value] of values.entries()) await scene.db.query(`insert into ${table} values ($1, ${i})`, [value]);
  await scene.stage(table);
  await scene.db.query(`delete from ${table} where n = 0`);
  const counts = { deleted: 1n, keys: BigInt(values.length - 1), stagedKeys: BigInt(values.length) };
  expect(await scene.settle(table)).toMatchObject(counts);
  expect(await scene.staged(table, 'n')).toEqual(values.slice(1).map((_, i) => String(i + 1)));
});

test('a composite key, in another order than the columns’', async () => {
  await scene.db.query(
    `create table composite (n int, day date, tenant uuid, name citext, primary key (name, tenant, day))`,
  );
  await scene.db.query(
    `insert into composite select i, date '2024-01-01' + i % 3, md5((i % 2)::text)::uuid, 'Name ' || i / 6 from generate_series(0, 23) i`,
  );
  await scene.stage('composite');
  await scene.db.query('delete from composite where n in (5, 11)');
  const { sample } = await scene.reconcile('composite', { dryRun: true });
  expect(sample).toHaveLength(2);
  expect(sample[0]).toMatch(/^name=Name 0, tenant=[0-9a-f-]{36}, day=2024-01-03$/);
  expect(await scene.settle('composite')).toMatchObject({ deleted: 2n });
  expect(await scene.staged('composite', 'n')).toHaveLength(22);
});

describe('equal, though written differently', () => {
  test.for([
    ['citext', 'Ann', 'ANN'],
    ['numeric', '1.0', '1.000'],
  ])('%s: %s and %s', async ([type, before, after]) => {
    const table = `t${++tables}`;
    await scene.db.query(`create table ${table} (id ${type} primary key, n int)`);
    await scene.db.query(`insert into ${table} values ('${before}', 1)`);
    await scene.stage(table);
    await scene.db.query(`update ${table} set id = '${after}'`);
    expect(await scene.reconcile(table)).toMatchObject({ state: 'nothing' });
  });

  test('one that a compaction cannot know as equal is in the staged table twice, until then', async () => {
    await scene.db.query(
      `create table spans (id interval primary key, n int); insert into spans values ('30 days', 1)`,
    );
    await scene.stage('spans');
    await scene.db.query(`update spans set id = '1 mon'`);
    await scene.stage('spans');
    expect(await scene.staged('spans')).toHaveLength(2);
    expect(await scene.settle('spans')).toMatchObject({ deleted: 1n });
    expect(await scene.staged('spans')).toEqual(['P1M']);
  });
});

test('a key whose type was widened since', async () => {
  await scene.db.query(
    'create table widened (id int primary key, updated_at timestamptz default now()); insert into widened select generate_series(1, 5)',
  );
  await scene.stage('widened');
  await scene.db.query('alter table widened alter id type bigint; delete from widened where id = 2');
  await scene.db.query('insert into widened values (9007199254740993)');
  expect(await scene.reconcile('widened')).toMatchObject({ deleted: 1n, keys: 5n });
  await scene.stage('widened');
  expect(await scene.staged('widened')).toEqual(['1', '3', '4', '5', '9007199254740993']);
});

test('a key that is pinned to another type, and one with another name in the lake', async () => {
  await scene.db.query(
    `create table pinned ("Order Id" bigint primary key); insert into pinned select generate_series(1, 5)`,
  );
  const settings = { columns: { 'Order Id': { type: 'string' } } };
  await scene.stage('pinned', settings);
  await scene.db.query('delete from pinned where "Order Id" = 2');
  expect(await scene.settle('pinned', { settings })).toMatchObject({ deleted: 1n });
  expect(await scene.staged('pinned', 'Order_Id')).toEqual(['1', '3', '4', '5']);
});
