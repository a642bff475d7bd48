import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createExporter, type Exporter } from '../../support/exporter.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

let db: TestDatabase;
let exporter: Exporter;
const others: pg.Client[] = [];

beforeEach(async () => {
  db = await createDatabase();
  await db.query(
    'create table invoice (id bigint primary key, total numeric(10,2), updated_at timestamptz not null default now())',
  );
  await db.query('create index on invoice (updated_at)');
  await db.query('insert into invoice select i, i from generate_series(1, 100) i');
  // Else an export looks first how large it is, in a transaction of its own.
  await db.query('analyze invoice');
  exporter = await createExporter(db.url);
});

afterEach(async () => {
  for (const other of others.splice(0)) await other.end();
  await exporter[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

async function session(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: db.url });
  await client.connect();
  others.push(client);
  return client;
}

const ids = async () => (await exporter.rows('invoice')).map((row) => Number(row.id)).sort((a, b) => a - b);

test('the first run exports everything, the next one nothing', async () => {
  expect(await exporter.run('invoice')).toMatchObject({ state: 'committed', rows: 100n, lateRows: 0n });
  expect(await exporter.run('invoice')).toMatchObject({ state: 'nothing' });
  expect(await ids()).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
});

test('a changed row comes again, once', async () => {
  await exporter.run('invoice');
  await db.query('update invoice set total = 0, updated_at = now() where id = 7');
  expect(await exporter.run('invoice')).toMatchObject({ rows: 1n, lateRows: 0n });
  expect(await exporter.run('invoice')).toMatchObject({ state: 'nothing' });
  const versions = (await exporter.rows('invoice')).filter((row) => row.id === '7');
  expect(versions.map((row) => row.total).sort()).toEqual(['0.00', '7.00']);
});

test('a transaction open during a run does not hold it back, and its row comes with the next one, as late', async () => {
  const slow = await session();
  await slow.query('begin');
  await slow.query('insert into invoice values (1000, 1)');
  await db.query('insert into invoice values (1001, 1)');
  expect(await exporter.run('invoice')).toMatchObject({ rows: 101n });
  await db.query('insert into invoice values (1002, 1)');
  expect(await exporter.run('invoice')).toMatchObject({ rows: 1n, lateRows: 0n });
  await slow.query('commit');
  expect(await exporter.run('invoice')).toMatchObject({ rows: 1n, lateRows: 1n });
  expect(await exporter.run('invoice')).toMatchObject({ state: 'nothing' });
  expect((await ids()).slice(-3)).toEqual([1000, 1001, 1002]);
});

test('subtransactions of an open transaction come late too, released and rolled back ones alike', async () => {
  const slow = await session();
  await slow.query('begin; savepoint a; insert into invoice values (1000, 1); release a');
  await slow.query('savepoint b; insert into invoice values (1001, 1); rollback to b');
  await slow.query('savepoint c; insert into invoice values (1002, 1)');
  await db.query('insert into invoice values (2000, 1)');
  await exporter.run('invoice');
  await slow.query('release c; savepoint d; insert into invoice values (1003, 1); commit');
  expect(await exporter.run('invoice')).toMatchObject({ rows: 3n, lateRows: 3n });
  expect((await ids()).slice(-4)).toEqual([1000, 1002, 1003, 2000]);
});

test('a prepared transaction is waited for by nobody and missed by nobody', async () => {
  const other = await session();
  await exporter.run('invoice');
  await other.query('begin; insert into invoice values (1000, 1)');
  await exporter.run('invoice');
  await other.query("prepare transaction 'p'");
  await db.query('insert into invoice values (1001, 1)');
  expect(await exporter.run('invoice')).toMatchObject({ rows: 1n });
  expect(await exporter.run('invoice')).toMatchObject({ state: 'nothing' });
  await other.query("commit prepared 'p'");
  expect(await exporter.run('invoice')).toMatchObject({ rows: 1n, lateRows: 1n });
});

test('a transaction prepared before the first run has no known start: the next runs look without a floor', async () => {
  await db.query("begin; insert into invoice values (1000, 1, '2001-01-01'); prepare transaction 'old'");
  await exporter.run('invoice');
  expect((await exporter.mark('invoice'))?.floor).toBeNull();
  await db.query("commit prepared 'old'");
  expect(await exporter.run('invoice')).toMatchObject({ rows: 1n });
  expect((await exporter.mark('invoice'))?.floor).not.toBeNull();
});

test('rows without a cursor value and rows dated into the future come once', async () => {
  await db.query('alter table invoice alter updated_at drop not null');
  await db.query("insert into invoice values (1000, 1, null), (1001, 1, '2999-01-01')");
  await exporter.run('invoice');
  await db.query("insert into invoice values (1002, 1, null), (1003, 1, '2999-01-01'), (1004, 1, now())");
  expect(await exporter.run('invoice')).toMatchObject({ rows: 3n, watermark: '2999-01-01 00:00:00+00' });
  expect(await exporter.run('invoice')).toMatchObject({ state: 'nothing' });
  expect((await ids()).slice(-5)).toEqual([1000, 1001, 1002, 1003, 1004]);
});

test('without a cursor a scan finds what changed, and only that', async () => {
  await exporter.run('invoice', { settings: { cursor: 'none' } });
  await db.query("update invoice set total = -1, updated_at = '1999-01-01' where id < 4");
  expect(await exporter.run('invoice', { settings: { cursor: 'none' } })).toMatchObject({ rows: 3n });
  expect(await exporter.run('invoice', { settings: { cursor: 'none' } })).toMatchObject({ state: 'nothing' });
});

test('a full run exports everything again and the next one goes on from it', async () => {
  await exporter.run('invoice');
  expect(await exporter.run('invoice', { full: true })).toMatchObject({ rows: 100n, lateRows: 0n });
  expect(await exporter.run('invoice')).toMatchObject({ state: 'nothing' });
});

test('an id carried by a row below an open transaction is not exported twice when it is finished between look and snapshot', async () => {
  const slow = await session();
  await slow.query('begin; insert into invoice values (1000, 1)');
  const step = async (name: string) => {
    if (name === 'looked') await db.query('insert into invoice values (1001, 1)');
  };
  expect(await exporter.run('invoice', { step })).toMatchObject({ rows: 101n });
  await slow.query('commit');
  expect(await exporter.run('invoice')).toMatchObject({ rows: 1n });
});

test('what a TRUNCATE removed before the run began is no reason to lose what came after', async () => {
  await exporter.run('invoice');
  await db.query('truncate invoice; insert into invoice select i, 0 from generate_series(1, 5) i');
  expect(await exporter.run('invoice')).toMatchObject({ rows: 5n });
});

test('a TRUNCATE that waits for the run sees it end first', async () => {
  const other = await session();
  const truncated: Promise<unknown>[] = [];
  const step = async (name: string) => {
    if (name === 'plan') truncated.push(other.query('truncate invoice'));
  };
  expect(await exporter.run('invoice', { step })).toMatchObject({ rows: 100n });
  await Promise.all(truncated);
  expect(await ids()).toHaveLength(100);
});
