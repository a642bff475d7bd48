import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type ExportScene, expectError, exportScene } from '../support/export-scene.ts';
import { lakeRows } from '../support/lake-rows.ts';

let scene: ExportScene;

const expecting = (expectations: object, more: object = {}) => ({
  tables: [{ table: 'invoice', expect: expectations, ...more }],
});

/** An export, and its one result. */
async function run(expectations: object, more: object = {}, ...args: string[]) {
  const ended = await scene.run(['export', '--table', 'invoice', '--json', ...args], expecting(expectations, more));
  return { code: ended.code, stderr: ended.stderr, ...JSON.parse(ended.stdout).tables[0] };
}

const mark = async () => (await scene.db.query('select mark from tidemark.source_table'))[0]?.mark ?? null;

beforeAll(async () => {
  scene = await exportScene();
});

afterAll(() => scene[Symbol.asyncDispose]());

beforeEach(async () => {
  await rm(`${scene.cwd}/lake`, { recursive: true, force: true });
  await scene.db.query('drop table if exists invoice; drop schema if exists tidemark cascade');
  await scene.db.query(`create table invoice (
    id int primary key, customer int, status text, updated_at timestamptz not null default clock_timestamp())`);
  await scene.db.query(`insert into invoice values (1, 10, 'paid'), (2, 20, 'open'), (3, 30, null)`);
});

test('rows that break an expectation stop the run: nothing is committed, the mark stays, and the next run reads them again', async () => {
  const rules = { accepted: { status: ['paid', 'open'] }, not_null: ['customer'] };
  expect(await run(rules)).toMatchObject({ code: 0, state: 'committed', rows: 3 });
  const before = await mark();
  await scene.db.query(`insert into invoice values (4, 40, 'refunded'), (5, 50, 'refunded'), (6, 60, 'paid')`);
  const ended = await scene.run(['export', '--table', 'invoice'], expecting(rules));
  expectError(ended, {
    exit: 1,
    code: 'EXPECTATION_BROKEN',
    says: /^"refunded" is no accepted value, as in 2 of 3 rows read \(table public\.invoice, column status, key id=4\)$/,
    hint: /mend the rows, or add the value to expect\.accepted\.status; with on_break: report/,
  });
  expect(await mark()).toEqual(before);
  expect(await lakeRows(`${scene.cwd}/lake/raw/invoice`)).toHaveLength(3);
  expect((await scene.run(['status', '--check'], expecting(rules))).stdout).toContain('failing: EXPECTATION_BROKEN');
  await scene.db.query(`update invoice set status = 'paid' where id in (4, 5)`);
  expect(await run(rules)).toMatchObject({ code: 0, rows: 3 });
});

test('a first run is stopped too, and leaves no trace but the error', async () => {
  const stopped = await run({ not_null: ['status'] });
  expect(stopped).toMatchObject({
    ...{ code: 1, state: 'failed' },
    error: { code: 'EXPECTATION_BROKEN', column: 'status', key: 'id=3', message: 'NULL in 1 of 3 rows read' },
  });
  await scene.isUntouched('invoice');
});

test('with report the run is committed; result, log and status say what was broken, and the next run is clean', async () => {
  const rules = { accepted: { status: ['paid'] }, not_null: ['customer', 'status'], on_break: 'report' };
  const reported = await run(rules);
  const broken = [
    { column: 'status', rule: 'not_null', count: 1, key: 'id=3', value: null },
    { column: 'status', rule: 'accepted', count: 1, key: 'id=2', value: 'open' },
  ];
  expect(reported).toMatchObject({ code: 0, state: 'committed', rows: 3, broken });
  expect(reported.stderr).toMatch(/"level":"warn".*"run":\d+.*"rule":"accepted".*an expectation is broken/);
  const status = await scene.run(['status'], expecting(rules));
  expect(status.stdout).toContain('public.invoice.status: "open" or the like in 1 row of the last run');
  await scene.db.query(`insert into invoice values (4, 40, 'paid')`);
  expect(await run(rules)).not.toHaveProperty('broken');
  expect((await scene.run(['status'], expecting(rules))).stdout).not.toContain('or the like');
});

test('closed columns: a new one stops the run, or is reported by the run that takes it in', async () => {
  const closed = { columns: 'closed' };
  expect(await run(closed)).toMatchObject({ code: 0, rows: 3 });
  await scene.db.query(`alter table invoice add column note text; insert into invoice values (4, 40, 'paid')`);
  const stopped = await run(closed);
  expect(stopped).toMatchObject({ code: 1, error: { code: 'EXPECTATION_BROKEN', column: 'note' } });
  expect(stopped.error.hint).toContain('exclude: [note]');
  // A dropped column breaks nothing, nor does one that is left out.
  await scene.db.query('alter table invoice drop column customer');
  expect(await run(closed, { exclude: ['note'] })).toMatchObject({ code: 0, rows: 1 });
  await scene.db.query(`insert into invoice values (5, 'paid')`);
  const reported = await run({ ...closed, on_break: 'report' });
  expect(reported).toMatchObject({ code: 0, broken: [{ column: 'note', rule: 'closed', count: 1 }] });
  expect(await run(closed)).toMatchObject({ code: 0 });
});

test('values are equal when Postgres prints them alike, or when they are the same number', async () => {
  await scene.db.query(`create type mood as enum ('glad', 'sad');
    alter table invoice add i2 int2 default 1, add i4 int default -7, add i8 bigint default 9007199254740993, add b bool default true,
      add n numeric(10,2) default 1.5, add u numeric default 2.50, add f float8 default 0.1, add d date default '2026-02-28',
      add m mood default 'glad', add g uuid default '6f1c9a0e-0000-4000-8000-00000000000a', add t text default 'naïve'`);
  const values = {
    ...{ i2: [1], i4: ['-7', 8], i8: ['9007199254740993'], b: [true], n: [1.5], u: [2.5], f: [0.1] },
    ...{ d: ['2026-02-28'], m: ['glad'], g: ['6f1c9a0e-0000-4000-8000-00000000000a'], t: ['naïve'] },
  };
  expect(await run({ accepted: values })).toMatchObject({ code: 0, rows: 3 });
  const others = {
    ...{ i2: [2], i4: [7], i8: ['9007199254740992'], b: [false], n: [1.51], u: [25], f: [0.2] },
    ...{ d: ['2026-02-27'], m: ['sad'], g: ['6f1c9a0e'], t: ['naive'] },
  };
  const { broken } = await run({ accepted: others, on_break: 'report' }, {}, '--full');
  expect(broken.map(({ column, value }: { column: string; value: string }) => `${column} ${value}`)).toEqual([
    ...['i2 1', 'i4 -7', 'i8 9007199254740993', 'b t', 'n 1.50', 'u 2.50', 'f 0.1', 'd 2026-02-28', 'm glad'],
    ...['g 6f1c9a0e-0000-4000-8000-00000000000a', 't naïve'],
  ]);
});

test('a value that is written as NULL for want of a place counts as one', async () => {
  await scene.db.query(`alter table invoice add n numeric default 'NaN'`);
  const pinned = { columns: { n: { type: 'decimal(10,2)', on_unfit: null } } };
  const stopped = await run({ not_null: ['n'] }, pinned);
  expect(stopped.error).toMatchObject({ code: 'EXPECTATION_BROKEN', column: 'n', key: 'id=1' });
});

test('a large table is read no further than to the end of the row group', async () => {
  await scene.db.query(`insert into invoice select i, 1, 'open' from generate_series(4, 300000) i`);
  const { error } = await run({ accepted: { status: ['paid'] } });
  expect(error.message).toBe('"open" is no accepted value, as in 122878 of 122880 rows read');
});

test('columns that the table does not have are an error of the configuration; those of a pattern are left out', async () => {
  for (const rules of [{ not_null: ['statsu'] }, { accepted: { statsu: ['paid'] } }]) {
    expect(await run(rules)).toMatchObject({ code: 2, error: { code: 'COLUMN_UNKNOWN', column: 'statsu' } });
    const pattern = { tables: [{ table: 'public.*', expect: rules }] };
    expect((await scene.run(['export', '--table', 'invoice', '--full'], pattern)).code).toBe(0);
  }
  expect(await run({ not_null: ['status'] }, { exclude: ['status'] })).toMatchObject({
    code: 2,
    error: { code: 'CONFIG_INVALID', column: 'status' },
  });
});

test('a run in chunks and a repeated range are held against them too', async () => {
  await scene.db.query(
    `insert into invoice select i, 1, case i % 1000 when 0 then 'odd' else repeat('paid', 50) end from generate_series(4, 30000) i`,
  );
  const rules = { accepted: { status: ['paid', 'open', 'paid'.repeat(50)] } };
  const chunked = { defaults: { chunk: '1MB' }, ...expecting({ ...rules, on_break: 'report' }) };
  const whole = await scene.run(['export', '--table', 'invoice', '--json'], chunked);
  expect(whole).toMatchObject({ code: 0, stdout: expect.stringContaining('"committed"') });
  expect(JSON.parse(whole.stdout).tables[0].broken).toMatchObject([{ rule: 'accepted', count: 30, value: 'odd' }]);
  expect(JSON.parse(whole.stdout).tables[0].files.length).toBeGreaterThan(1);
  expect(await run(rules, {}, '--since', '2020-01-01')).toMatchObject({
    code: 1,
    error: { code: 'EXPECTATION_BROKEN' },
  });
});
