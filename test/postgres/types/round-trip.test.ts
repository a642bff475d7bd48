import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { typeName } from '../../../src/model/column-type.ts';
import { createExporter, type Exporter, tableSettings } from '../../support/exporter.ts';
import {
  queryDuckdb,
  readWithDuckdb,
  readWithHyparquet,
  readWithParquetjs,
  readWithPyarrow,
} from '../../support/parquet-readers.ts';
import type { TextColumns } from '../../support/parquet-text.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { pythonAvailable } from '../../support/python.ts';
import { TYPE_CASES, TYPE_SETUP, typesTable } from './type-cases.ts';

let db: TestDatabase;
let exporter: Exporter;
let file: string;

beforeAll(async () => {
  db = await createDatabase();
  await db.query(TYPE_SETUP);
  const table = typesTable('types');
  await db.query(table.create);
  for (const row of table.insert) await db.query(row);
  exporter = await createExporter(db.url);
  const outcome = await exporter.run('types');
  if (outcome.state !== 'committed') throw new Error('nothing was exported');
  file = path.join(exporter.lakeDir, outcome.files[0].key);
});

afterAll(async () => {
  await exporter?.[Symbol.asyncDispose]();
  await db?.[Symbol.asyncDispose]();
});

/** Rows where the lake's text, made a value of the type again, is not what the table holds. */
async function differences(read: TextColumns, index: number): Promise<unknown[]> {
  const [column, { restore }] = [`c${index}`, TYPE_CASES[index]];
  const back =
    restore === 'POPULATE'
      ? `(json_populate_record(null::types, json_build_object('${column}', x::json))).${column}`
      : `(${restore})`;
  // Compared as Postgres prints them: 1.10 equals 1.1, and 'Ab'::citext equals 'aB'.
  return db.query(
    `select id, x as lake, format('%s', t.${column}) as source from types t
      full join unnest($1::bigint[], $2::text[]) lake(id, x) using (id)
      where (x is null) <> (t.${column} is not distinct from null)
        or x is not null and format('%s', ${back}) is distinct from format('%s', t.${column})`,
    [read.id, read[column]],
  );
}

const readers = [
  ['hyparquet', readWithHyparquet],
  ['DuckDB', readWithDuckdb],
  ...((await pythonAvailable()) ? [['pyarrow', readWithPyarrow] as const] : []),
] as const;

describe.each(readers)('as %s reads it', (_, reader) => {
  let read: TextColumns;
  beforeAll(async () => {
    read = await reader(file);
  });

  test.each(TYPE_CASES.map(({ type }, i) => [type, i] as const))('%s', async (_type, i) => {
    expect(read[`c${i}`].filter((x) => x !== null)).toHaveLength(TYPE_CASES[i].values.length);
    expect(await differences(read, i)).toEqual([]);
  });
});

test('each column has the type in the lake that docs/types.md says', async () => {
  const signal = AbortSignal.timeout(10_000);
  const [found] = await exporter.state.acquire('export', [tableSettings('types')], 'test', 1000, signal);
  if (found.state === 'held') throw new Error('somebody holds the lease');
  const [, ...columns] = found.columns!;
  expect(columns.map(({ type }, i) => [TYPE_CASES[i].type, typeName(type)])).toEqual(
    TYPE_CASES.map(({ type, lake }) => [type, lake]),
  );
});

test('a value of 30 MB', async () => {
  await db.query(`create table huge (id bigint primary key, t text, b bytea, j jsonb)`);
  await db.query(`insert into huge values (1, 'small', '\\x00', '1'),
    (2, (select string_agg(md5(i::text), '') from generate_series(1, 983040) i), null, null), (3, '', '', '{}'),
    (4, null, decode(repeat('00ff', 5000000), 'hex'), to_jsonb(repeat('x', 20000000))), (5, 'last', '\\xff', '2')`);
  const outcome = await exporter.run('huge');
  if (outcome.state !== 'committed') throw new Error('nothing was exported');
  const read = await queryDuckdb(`select id, md5(t) as t, md5(b) as b, md5(j) as j
    from read_parquet('${path.join(exporter.lakeDir, outcome.files[0].key)}')`);
  const source = await db.query('select id::text, md5(t) as t, md5(b) as b, md5(j::text) as j from huge order by id');
  expect(read.id.map((id, i) => ({ id, t: read.t[i], b: read.b[i], j: read.j[i] }))).toEqual(source);
});

test('with gzip and values that all differ, an independent reader without dictionaries sees the same', async () => {
  await db.query(`create table plain (id int primary key, big bigint, f float8, r real, b boolean, t text, y bytea, u uuid, l int[], j jsonb);
    insert into plain select hashint4(i), hashint8extended(i, 1), random() * 1e9, (random() * 1e6)::real, i % 3 = 0, md5(i::text) || 'é',
        decode(md5(i::text), 'hex'), gen_random_uuid(), array[i, null], jsonb_build_object('i', i)
      from generate_series(1, 500) i;
    insert into plain (id) values (0)`);
  const outcome = await exporter.run('plain', { settings: { compression: 'gzip' } });
  if (outcome.state !== 'committed') throw new Error('nothing was exported');
  const names = ['id', 'big', 'f', 'r', 'b', 't', 'y', 'u', 'l', 'j'];
  const read = await readWithParquetjs(path.join(exporter.lakeDir, outcome.files[0].key), names);
  const wrong = await db.query(
    `select p.*, lake.* from plain p full join unnest($1::int[], $2::bigint[], $3::float8[], $4::real[], $5::boolean[], $6::text[],
        $7::bytea[], $8::uuid[], $9::text[], $10::text[]) as lake(id, big, f, r, b, t, y, u, l, j) using (id)
      where (p.big, p.f, p.r, p.b, p.t, p.y, p.u, to_json(p.l)::text, p.j::text)
        is distinct from (lake.big, lake.f, lake.r, lake.b, lake.t, lake.y, lake.u, lake.l, lake.j)`,
    names.map((name) => read[name]),
  );
  expect(wrong).toEqual([]);
  expect(read.id).toHaveLength(501);
});
