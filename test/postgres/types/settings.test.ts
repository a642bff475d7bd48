import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createExporter } from '../../support/exporter.ts';
import { readWithHyparquet } from '../../support/parquet-readers.ts';
import type { TextColumns } from '../../support/parquet-text.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { TYPE_SETUP, typesTable } from './type-cases.ts';

/** Every setting that changes how a value prints, is read or is ordered. */
const SETTINGS: Record<string, string> = {
  DateStyle: "'German, DMY'",
  IntervalStyle: 'postgres_verbose',
  TimeZone: "'Asia/Kolkata'",
  bytea_output: 'escape',
  extra_float_digits: '-15',
  search_path: 'odd, pg_catalog',
  xmlbinary: 'hex',
  xmloption: 'document',
  client_encoding: 'LATIN1',
  quote_all_identifiers: 'on',
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  standard_conforming_strings: 'off',
  backslash_quote: 'on',
  array_nulls: 'off',
  transform_null_equals: 'on',
  lc_monetary: "'C'",
  lc_numeric: "'C'",
  [inject('postgresMajor') < 16 ? 'force_parallel_mode' : 'debug_parallel_query']: 'on',
};

/** Ends a literal too early where backslashes escape. */
const TABLE = "types\\' odd";
let db: TestDatabase;
let before: { values: TextColumns; bytes: number };

async function exported(): Promise<typeof before> {
  await using exporter = await createExporter(db.url);
  const outcome = await exporter.run(TABLE, { full: true, settings: { folder: 'types', where: "'\\' <> id::text" } });
  if (outcome.state !== 'committed') throw new Error('nothing was exported');
  const { _tidemark_run, _tidemark_at, ...values } = await readWithHyparquet(
    path.join(exporter.lakeDir, outcome.files[0].key),
  );
  return { values, bytes: outcome.files[0].bytes };
}

beforeAll(async () => {
  db = await createDatabase();
  await db.query(TYPE_SETUP);
  // Functions and an operator of somebody's own, which stand before Postgres's in the search path.
  await db.query(`create schema odd; create function odd.format(text, anyelement) returns text language sql as 'select ''theirs''';
    create function odd.to_json(anyelement) returns json language sql as 'select ''"theirs"''::json';
    create function odd.theirs(int8, int8) returns bool language sql as 'select false';
    create operator odd.>= (leftarg = int8, rightarg = int8, function = odd.theirs)`);
  const table = typesTable(`"${TABLE}"`);
  await db.query(table.create);
  for (const row of table.insert) await db.query(row);
  before = await exported();
});

afterAll(async () => {
  await db?.[Symbol.asyncDispose]();
});

test.each(['database', 'role in database'])('settings of the %s change no byte', async (of) => {
  const target = of === 'database' ? `database ${db.name}` : `role postgres in database ${db.name}`;
  for (const [name, value] of Object.entries(SETTINGS)) await db.query(`alter ${target} set ${name} = ${value}`);
  const session = new pg.Client({ connectionString: db.url });
  await session.connect();
  const { rows } = await session.query(
    "select '2024-12-31'::date::text as day, current_setting('search_path') as path",
  );
  await session.end();
  expect(rows).toEqual([{ day: '31.12.2024', path: 'odd, pg_catalog' }]);
  const after = await exported();
  expect(after.values).toEqual(before.values);
  expect(after.bytes).toBe(before.bytes);
  await db.query(`alter ${target} reset all`);
});
