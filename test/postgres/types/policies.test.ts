import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { GROUP_LIMITS } from '../../../src/export/group-reader.ts';
import type { Policy } from '../../../src/model/lake-type.ts';
import { createExporter, type Exporter } from '../../support/exporter.ts';
import { queryDuckdb } from '../../support/parquet-readers.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

let db: TestDatabase;
let exporter: Exporter;

// One database for all: a test has tables of its own.
beforeAll(async () => {
  db = await createDatabase();
});
beforeEach(async () => {
  exporter = await createExporter(db.url);
});
afterEach(async () => {
  await exporter[Symbol.asyncDispose]();
});
afterAll(async () => {
  await db[Symbol.asyncDispose]();
});

/** Everything below raw/, visible or not. */
async function filesBelow(): Promise<string[]> {
  const all = await readdir(exporter.lakeDir, { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error) => error,
  );
}

/** Type, a value that has a place, one that has none, Postgres's text of that one. */
const UNFIT: [type: string, fit: string, unfit: string, text: string, pin?: string][] = [
  ['numeric(10,2)', '1.50', 'NaN', 'NaN'],
  ['numeric(4,1)', '999.9', 'NaN', 'NaN'],
  ['numeric(30,2)', '1.50', 'NaN', 'NaN'],
  ['numeric', '1.50', 'Infinity', 'Infinity', 'decimal(38,4)'],
  ['numeric', '-0.0001', '0.00001', '0.00001', 'decimal(38,4)'],
  ['numeric', '99.99', '100.00', '100.00', 'decimal(4,2)'],
  ['numeric', '-99.99', '-100', '-100', 'decimal(4,2)'],
  ['numeric', '1e17', '1e131071', `1${'0'.repeat(131071)}`, 'decimal(18,0)'],
  ['numeric', '0.1', '1e-16383', `0.${'0'.repeat(16382)}1`, 'decimal(38,38)'],
  ['bigint', '999', '1000', '1000', 'decimal(3,0)'],
  ['date', '9999-12-31', '10000-01-01', '10000-01-01'],
  ['date', '0001-01-01', '0001-12-31 BC', '0001-12-31 BC'],
  ['date', '1970-01-01', 'infinity', 'infinity'],
  ['date', '1970-01-01', '-infinity', '-infinity'],
  ['date', '1970-01-01', '4714-11-24 BC', '4714-11-24 BC'],
  ['date', '1970-01-01', '5874897-12-31', '5874897-12-31'],
  ['timestamp', '9999-12-31 23:59:59.999999', '10000-01-01', '10000-01-01 00:00:00'],
  ['timestamp', '0001-01-01', '0001-12-31 23:59:59.999999 BC', '0001-12-31 23:59:59.999999 BC'],
  ['timestamptz', '1970-01-01+00', 'infinity', 'infinity'],
  ['timestamptz', '1970-01-01+00', '-infinity', '-infinity'],
  ['timestamptz', '1970-01-01+00', '294276-12-31 23:59:59.999999+00', '294276-12-31 23:59:59.999999+00'],
  ['timestamptz', '1970-01-01+00', '4714-11-24 00:00:00+00 BC', '4714-11-24 00:00:00+00 BC'],
  ['int[]', '{1}', '[0:1]={1,2}', '[0:1]={1,2}'],
  ['int[]', '{{1},{2}}', '[1:2][-1:-1]={{1},{2}}', '[1:2][-1:-1]={{1},{2}}'],
  ['json[]', '{"{}",NULL}', '{"[null]","null",NULL}', '{[null],"null",NULL}'],
  ['jsonb[]', '{"{}",NULL}', '{{"null",NULL}}', '{{"null",NULL}}'],
  ['holder', '(1,"{1}","{}",)', '(1,"[0:0]={1}",,)', '(1,[0:0]={1},,)'],
  ['holder', '(1,"{1}","{}",)', '(1,,"null",)', '(1,,null,)'],
  ['holder_domain', '(,,,)', '(1,,"[null]","[2:2]={""(1,)""}")', '(1,,[null],"[2:2]={""(1,)""}")'],
  ['holder[]', '{NULL,"(,,,)"}', '{"(1,\\"[2:2]={1}\\",,)",NULL}', '{"(1,[2:2]={1},,)",NULL}'],
  ['int[]', '{1,NULL}', '{{1,2},{3,4}}', '{{1,2},{3,4}}', 'array'],
  ['int[]', '{}', '[2:2]={1}', '[2:2]={1}', 'array'],
  ['real[]', '{0.1,NaN}', '{{0.1,1e-45},{1e+06,123456}}', '{{0.1,1e-45},{1e+06,123456}}', 'array'],
  [
    'text[]',
    '{"a,b"}',
    '{{"a,b","",NULL},{"NULL","q\\"","\\\\"}}',
    '{{"a,b","",NULL},{"NULL","q\\"","\\\\"}}',
    'array',
  ],
  ['timestamptz[]', '{1970-01-01+00}', '{1970-01-01+00,infinity}', '{"1970-01-01 00:00:00+00",infinity}', 'array'],
  ['date[]', '{1970-01-01}', '{infinity,1970-01-01,NULL}', '{infinity,1970-01-01,NULL}', 'array'],
  ['numeric(4,1)[]', '{999.9,-0.1}', '{1.5,NaN}', '{1.5,NaN}', 'array'],
  ['timetz[]', '{12:00:00.5+05:30}', '{{12:00:00.5+05:30}}', '{{12:00:00.5+05:30}}', 'array'],
  ['bytea[]', '{"\\\\x00"}', '{{"\\\\x00ff"}}', '{{"\\\\x00ff"}}', 'array'],
  [
    'uuid[]',
    '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
    '{{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}}',
    '{{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}}',
    'array',
  ],
  ['boolean[]', '{t,f,NULL}', '{{t,f}}', '{{t,f}}', 'array'],
  ['jsonb[]', '{"{}"}', '{{"{\\"a\\": 1}"}}', '{{"{\\"a\\": 1}"}}', 'array'],
];

describe('one table that holds every kind of value without a place', () => {
  const columns = (on_unfit: Policy) =>
    Object.fromEntries(UNFIT.map(([, , , , type], i) => [`c${i}`, { on_unfit, ...(type ? { type } : {}) }]));

  beforeAll(async () => {
    await db.query(`create type piece as (a int, b text);
      create type holder as (id int, l int[], j jsonb, p piece[]); create domain holder_domain as holder`);
    await db.query(`create table odd (id int primary key, ${UNFIT.map(([type], i) => `c${i} ${type}`).join(', ')})`);
    for (const [id, at] of [
      [1, 1],
      [2, 2],
      [3, 1],
    ]) {
      const values = UNFIT.map((row, i) => `$${i + 1}::${row[0]}`);
      await db.query(
        `insert into odd values (${id}, ${values})`,
        UNFIT.map((row) => row[at]),
      );
    }
    await db.query('insert into odd values (4)');
  });

  test('null: NULL in its place, counted', async () => {
    const outcome = await exporter.run('odd', { full: true, settings: { columns: columns('null') } });
    expect(outcome).toMatchObject({
      state: 'committed',
      unfit: Object.fromEntries(UNFIT.map((_, i) => [`c${i}`, { null: 1 }])),
    });
    const rows = (await exporter.rows('odd')).sort((a, b) => Number(a.id) - Number(b.id));
    for (const [i, [type]] of UNFIT.entries()) {
      expect([type, ...rows.map((row) => row[`c${i}`] === null)]).toEqual([type, false, true, false, true]);
    }
    expect(Object.keys(rows[0]).filter((name) => name.endsWith('__text'))).toEqual([]);
  });

  test("text: NULL in its place and Postgres's own text beside it, counted", async () => {
    const outcome = await exporter.run('odd', { full: true, settings: { columns: columns('text') } });
    expect(outcome).toMatchObject({ unfit: Object.fromEntries(UNFIT.map((_, i) => [`c${i}`, { text: 1 }])) });
    const rows = (await exporter.rows('odd')).sort((a, b) => Number(a.id) - Number(b.id));
    for (const [i, [type, , , text]] of UNFIT.entries()) {
      expect([type, ...rows.map((row) => row[`c${i}`] === null)]).toEqual([type, false, true, false, true]);
      expect([type, ...rows.map((row) => row[`c${i}__text`])]).toEqual([type, null, text, null, null]);
    }
    // What stands there is the value: Postgres makes the same of it again.
    for (const [i, [type]] of UNFIT.entries()) {
      const [{ same }] = await db.query(
        `select format('%s', $1::${type}) = format('%s', c${i}) as same from odd where id = 2`,
        [rows[1][`c${i}__text`]],
      );
      expect([type, same]).toEqual([type, true]);
    }
  });

  test.each(UNFIT.map(([type, , , text], i) => [type, text.slice(0, 40), i] as const))(
    'fail: %s %s stops the run, naming table, column and key',
    async (_type, _text, i) => {
      const settings = { columns: { ...columns('null'), [`c${i}`]: { ...columns('fail')[`c${i}`] } } };
      expect(await failure(exporter.run('odd', { full: true, settings }))).toMatchObject({
        code: 'VALUE_UNFIT',
        message: expect.stringContaining(UNFIT[i][3].slice(0, 50)),
        place: { table: 'public.odd', column: `c${i}`, key: 'id=2' },
        hint: expect.stringContaining(`columns.c${i}.on_unfit`),
      });
    },
  );
});

test('a run that fails shows nothing, leaves no file and does not move the mark', async () => {
  await db.query('create table t (id int primary key, d date, updated_at timestamptz not null default now())');
  await db.query("insert into t values (1, '2024-01-01')");
  await exporter.run('t');
  const [files, mark] = [await filesBelow(), await exporter.mark('t')];
  await db.query("insert into t select i, '2024-01-01' from generate_series(2, 200000) i");
  await db.query("insert into t values (200001, 'infinity')");
  expect(await failure(exporter.run('t'))).toMatchObject({ code: 'VALUE_UNFIT', place: { key: 'id=200001' } });
  expect(await filesBelow()).toEqual(files);
  expect(await exporter.mark('t')).toEqual(mark);
  await db.query("update t set d = '2024-01-02' where id = 200001");
  expect(await exporter.run('t')).toMatchObject({ rows: 200_000n });
});

test('the key in the error is exact for every kind of key, and names its columns', async () => {
  await db.query(
    `create table keyed (a text, b timestamptz, c numeric(10,2), u uuid, d date, primary key (b, a, c, u))`,
  );
  await db.query(`insert into keyed values ('it''s, ok', '2024-01-01 00:00:00.000001+00', 1.50,
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'infinity')`);
  expect(await failure(exporter.run('keyed'))).toMatchObject({
    place: { key: "b=2024-01-01 00:00:00.000001+00, a=it's, ok, c=1.50, u=a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11" },
  });
});

describe('many values without a place, at the edges of batches and groups', () => {
  const rows = GROUP_LIMITS.rows + 3_000;
  /** About every third one, and those on both sides of every batch of 504 rows and of the group's end. */
  const odd = `i % 3 = 0 or i % 504 in (0, 1, 503) or i between ${GROUP_LIMITS.rows - 2} and ${GROUP_LIMITS.rows + 2}`;

  beforeAll(async () => {
    await db.query('create table many (id int primary key, d date, n numeric(10,2), l int[], other text)');
    await db.query(`insert into many select i,
        case when ${odd} then 'infinity' else '2024-01-01'::date + i % 1000 end,
        case when ${odd} then 'NaN' else i / 100.0 end,
        case when ${odd} then array[[i]] else array[i, null] end, 'o' || i
      from generate_series(1, ${rows}) i`);
  });

  test.each(['null', 'text'] as const)('%s', async (on_unfit) => {
    const [{ unfit }] = await db.query<{ unfit: string }>("select count(*) as unfit from many where d = 'infinity'");
    const counts = { [on_unfit]: Number(unfit) };
    const columns = { d: { on_unfit }, n: { on_unfit }, l: { on_unfit, type: 'array' } };
    const outcome = await exporter.run('many', { full: true, settings: { columns } });
    expect(outcome).toMatchObject({ rows: BigInt(rows), unfit: { d: counts, n: counts, l: counts } });
    const lake = `read_parquet('${exporter.lakeDir}/raw/many/*/*.parquet')`;
    const odd_ = odd.replaceAll(/\bi\b/g, 'id');
    const shadows =
      on_unfit === 'text'
        ? `and (d__text is not distinct from case when ${odd_} then 'infinity' end)
           and (n__text is not distinct from case when ${odd_} then 'NaN' end)
           and (l__text is not distinct from case when ${odd_} then '{{' || id || '}}' end)`
        : '';
    const right =
      await queryDuckdb(`select count(*) as n, count(distinct id) as ids from ${lake} where other = 'o' || id
      and (d is not distinct from case when ${odd_} then null else date '2024-01-01' + (id % 1000) end)
      and (n is not distinct from case when ${odd_} then null else (id / 100.0)::decimal(10,2) end)
      and (l is not distinct from case when ${odd_} then null else [id, null] end) ${shadows}`);
    expect(right).toEqual({ n: [String(rows)], ids: [String(rows)] });
    expect(path.extname((await filesBelow())[0])).toBe('.parquet');
  });
});
