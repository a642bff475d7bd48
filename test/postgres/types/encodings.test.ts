import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterEach, expect, inject, test } from 'vitest';
import { createExporter, type Exporter } from '../../support/exporter.ts';

const cleanUp: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

async function databaseWith(encoding: string): Promise<{ client: pg.Client; exporter: Exporter }> {
  const name = `e_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Client({ connectionString: inject('postgresUrl') });
  await admin.connect();
  await admin.query(`create database ${name} encoding '${encoding}' template template0 locale 'C'`);
  cleanUp.push(async () => {
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
  });
  const url = Object.assign(new URL(inject('postgresUrl')), { pathname: `/${name}` }).href;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  cleanUp.push(() => client.end());
  const exporter = await createExporter(url);
  cleanUp.push(async () => exporter[Symbol.asyncDispose]());
  return { client, exporter };
}

const byId = (rows: Record<string, string | null>[]) => rows.sort((a, b) => Number(a.id) - Number(b.id));

test('a LATIN1 database arrives as UTF-8: values, labels, names', async () => {
  const { client, exporter } = await databaseWith('LATIN1');
  await client.query(`create type "mööd" as enum ('glücklich');
    create type pair as (a text, b "mööd");
    create table "tschüß" (id int primary key, "größe" text, c char(4), e "mööd", l text[], j jsonb, p pair, r "char", x xml);
    insert into "tschüß" values (1, 'ÄÖÜ ÿ', 'é', 'glücklich', '{é,"ü,"}', '{"ä":"ß"}', '("é",glücklich)', 'x', '<ä/>')`);
  await exporter.run('tschüß', { settings: { folder: 'bye' } });
  expect(await exporter.rows('bye')).toMatchObject([
    {
      größe: 'ÄÖÜ ÿ',
      c: 'é   ',
      e: 'glücklich',
      l: '["é","ü,"]',
      j: '{"ä": "ß"}',
      p: '{"a":"é","b":"glücklich"}',
      r: 'x',
      x: '<ä/>',
    },
  ]);
});

const BAD = `convert_from('\\x61ff62'::bytea, 'SQL_ASCII')`;
const GOOD = `'aé🏔'`;
/** Type, its value around some text, what the lake has for good text, the shadow's text for bytes that are no UTF-8. */
const ASCII: [type: string, value: (text: string) => string, good: string, bad: string][] = [
  ['text', (t) => t, 'aé🏔', 'aÿb'],
  ['varchar(20)', (t) => t, 'aé🏔', 'aÿb'],
  ['char(12)', (t) => t, 'aé🏔     ', 'aÿb         '],
  ['json', (t) => `('"' || ${t} || '"')::json`, '"aé🏔"', '"aÿb"'],
  ['jsonb', (t) => `('"' || ${t} || '"')::jsonb`, '"aé🏔"', '"aÿb"'],
  ['text[]', (t) => `array[${t}, null]`, '["aé🏔",null]', '["aÿb",null]'],
  ['text[]', (t) => `array_fill((${t})::text, array[1], array[0])`, '', '[0:0]={aÿb}'],
  ['pair', (t) => `row(1, ${t})::pair`, '{"a":1,"b":"aé🏔"}', '{"a":1,"b":"aÿb"}'],
  ['tsvector', (t) => `array_to_tsvector(array[${t}])`, "'aé🏔'", "'aÿb'"],
  ['texts', (t) => `texts(${t}, null)`, '', ''],
];

test('in a SQL_ASCII database, UTF-8 arrives as it is and other bytes meet their column’s policy', async () => {
  const { client, exporter } = await databaseWith('SQL_ASCII');
  await client.query('create type pair as (a int, b text); create type texts as range (subtype = text)');
  await client.query(`create table t (id int primary key, ${ASCII.map(([type], i) => `c${i} ${type}`)})`);
  await client.query(`insert into t values (1, ${ASCII.map(([, value]) => value(GOOD))})`);
  await client.query(`insert into t values (2, ${ASCII.map(([, value]) => value(BAD))})`);
  await client.query('insert into t values (3)');
  await client.query('alter table t add plain text not null default $$plain$$');
  const columns = Object.fromEntries(ASCII.map((_, i) => [`c${i}`, { on_unfit: 'text' as const }]));
  const outcome = await exporter.run('t', { settings: { columns } });
  if (outcome.state !== 'committed') throw new Error('nothing was exported');
  const [good, bad, none] = byId(await exporter.rows('t'));
  for (const [i, [type, , right, wrong]] of ASCII.entries()) {
    if (right) expect([type, good[`c${i}`], good[`c${i}__text`]]).toEqual([type, right, null]);
    if (wrong) expect([type, bad[`c${i}`], bad[`c${i}__text`]]).toEqual([type, null, wrong]);
    if (right) expect(outcome.unfit[`c${i}`]).toEqual({ text: 1 });
    expect([type, none[`c${i}`], none[`c${i}__text`]]).toEqual([type, null, null]);
  }
  expect([good, bad, none].map((row) => row.plain)).toEqual(['plain', 'plain', 'plain']);
});

test('in a SQL_ASCII database, `fail` names the key of the row whose bytes are no UTF-8', async () => {
  const { client, exporter } = await databaseWith('SQL_ASCII');
  await client.query(`create table t (id int primary key, c text); insert into t values (1, ${GOOD}), (2, ${BAD})`);
  await expect(exporter.run('t')).rejects.toMatchObject({
    code: 'VALUE_UNFIT',
    place: { table: 'public.t', column: 'c', key: 'id=2' },
  });
});
