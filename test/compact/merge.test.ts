/** The merge against a real database: staged is what the source is. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Compactor, createCompactor } from '../support/compactor.ts';
import { createExporter, type Exporter } from '../support/exporter.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
let exporter: Exporter;
let compactor: Compactor;

beforeAll(async () => {
  database = await createDatabase();
  exporter = await createExporter(database.url);
  compactor = await createCompactor(exporter);
});
afterAll(async () => {
  await compactor?.[Symbol.asyncDispose]();
  await exporter?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

/** The source's rows, every value as text, sorted as compactor.rows() does. */
async function source(table: string): Promise<Record<string, string | null>[]> {
  const rows = await database.query(`select * from ${table}`);
  const text = rows.map((row: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)])),
  );
  const order = (row: Record<string, string | null>) => JSON.stringify(Object.entries(row).sort());
  return text.sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

describe.each(['rewrite', 'vectors'] as const)('merge: %s', (merge) => {
  test('staged follows inserts and updates, run after run', async () => {
    const table = `follow_${merge}`;
    await database.query(
      `create table ${table} (id int primary key, name text, updated_at timestamptz(0) default now())`,
    );
    await database.query(`alter table ${table} drop updated_at`);
    await database.query(`insert into ${table} select i, 'row ' || i from generate_series(1, 5000) i`);
    await exporter.run(table);
    const first = await compactor.compact(table, { merge });
    expect(first).toMatchObject({ state: 'compacted', version: 0, inserted: 5000 });
    expect(await compactor.rows(table)).toEqual(await source(table));

    await database.query(`update ${table} set name = 'changed ' || id where id % 100 = 0`);
    await database.query(`insert into ${table} values (5001, null), (0, 'zero')`);
    await exporter.run(table);
    const second = await compactor.compact(table, { merge });
    expect(second).toMatchObject({ state: 'compacted', version: 1, inserted: 2, updated: 50, deleted: 0 });
    expect(await compactor.rows(table)).toEqual(await source(table));
    expect(await compactor.compact(table, { merge })).toMatchObject({ state: 'nothing', version: 1 });
  });
});

test('keys that Postgres takes as equal are one row: citext in another case, 1.0 and 1.00', async () => {
  await database.query('create extension citext');
  await database.query('create table tag (name citext, level numeric, note text, primary key (name, level))');
  await database.query(`insert into tag values ('Red', 1.0, 'a'), ('Blue', 2, 'b'), ('Green', 10, 'c')`);
  await exporter.run('tag');
  await compactor.compact('tag');
  await database.query(`update tag set name = 'RED', level = 1.00, note = 'x' where name = 'red'`);
  await database.query(`update tag set note = 'y' where name = 'green'`);
  await exporter.run('tag');
  await database.query(`update tag set name = 'bLUE' where name = 'blue'`);
  await exporter.run('tag');
  expect(await compactor.compact('tag')).toMatchObject({ inserted: 0, updated: 3 });
  expect(await compactor.rows('tag')).toEqual(await source('tag'));
});
