/** What is no table with transaction ids of its own is refused, and said to be what it is. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { wantedTables } from '../../../src/cli/open-source.ts';
import { parseConfig } from '../../../src/config/load-config.ts';
import { createExporter, type Exporter } from '../../support/exporter.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

let db: TestDatabase;
let exporter: Exporter;

beforeEach(async () => {
  db = await createDatabase();
  exporter = await createExporter(db.url);
  await db.query(`create table t (id int primary key, updated_at timestamptz not null default now());
    create view v as select * from t; create materialized view m as select * from t;
    create table p (id int primary key) partition by range (id);
    create table p_1 partition of p for values from (0) to (10);
    create foreign data wrapper nothing; create server far foreign data wrapper nothing;
    create foreign table f (id int) server far`);
});

afterEach(async () => {
  await exporter[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

const wanted = (tables: string, table: string[]) => {
  const text = `source: { url: "${db.url}" }\nlake: file:./lake\ntables: [${tables}]`;
  const config = parseConfig(text, { file: '/x/tidemark.yaml', shown: 'tidemark.yaml', env: {} });
  return wantedTables(config, exporter.source, { table }, new AbortController().signal);
};

test.each([
  ['v', 'public.v is a view'],
  ['m', 'public.m is a materialized view'],
  ['f', 'public.f is a foreign table'],
  ['public.p_1', 'public.p_1 is a partition of public.p'],
])('%s, by --table and in tables:', async (name, message) => {
  const refused = expect.objectContaining({ code: 'RELATION_KIND', message: expect.stringContaining(message) });
  await expect(wanted('{ table: public.* }', [name])).rejects.toEqual(refused);
  await expect(wanted(`{ table: ${name} }`, [])).rejects.toEqual(refused);
});

test('what is nowhere stays unknown', async () => {
  await expect(wanted('{ table: public.* }', ['nowhere'])).rejects.toMatchObject({ code: 'TABLE_UNKNOWN' });
  expect((await wanted('{ table: public.* }', [])).map(({ name }) => name.table)).toEqual(['p', 't']);
});

test('a partition that is a foreign table', async () => {
  await exporter.run('p', { settings: { key: 'none' } });
  await db.query('alter table p drop constraint p_pkey');
  await db.query('create foreign table p_2 partition of p for values from (20) to (30) server far');
  await expect(exporter.run('p', { settings: { key: 'none' } })).rejects.toMatchObject({
    code: 'RELATION_KIND',
    message: expect.stringContaining('its partition public.p_2 is a foreign table'),
  });
});

test('a table of an access method that is not known to have transaction ids', async () => {
  await db.query(`create function other_handler(internal) returns table_am_handler language internal as 'heap_tableam_handler';
    create access method other type table handler other_handler;
    create access method as_heap type table handler heap_tableam_handler;
    create table o (id int primary key) using other; create table h (id int primary key) using as_heap;
    create table o_1 (like p including all) using other; alter table p attach partition o_1 for values from (10) to (20)`);
  await expect(exporter.run('o')).rejects.toMatchObject({
    code: 'RELATION_KIND',
    message: expect.stringContaining('access method other'),
  });
  await expect(exporter.run('p')).rejects.toMatchObject({
    code: 'RELATION_KIND',
    message: expect.stringContaining('its partition public.o_1'),
  });
  // By another name, it is Postgres's own.
  expect(await exporter.run('h')).toMatchObject({ state: 'committed' });
});
