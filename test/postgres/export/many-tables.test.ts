/** Many tables at once: idle ones are looked at together, and nothing is lost by that. */

import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ExportRequest, exportTables, type TableResult } from '../../../src/export/export-tables.ts';
import { createExporter, type Exporter, tableSettings } from '../../support/exporter.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { never, take } from '../../support/state.ts';

let db: TestDatabase;
let exporter: Exporter;
let other: pg.Client;
const names = ['a', 'b', 'c', 'd', 'e'];

beforeEach(async () => {
  db = await createDatabase();
  for (const name of names) {
    await db.query(`create table ${name} (id int primary key, updated_at timestamptz not null default now());
      create index on ${name} (updated_at); insert into ${name} select generate_series(1, 3)`);
  }
  exporter = await createExporter(db.url);
  other = new pg.Client({ connectionString: db.url });
  await other.connect();
});

afterEach(async () => {
  await other.end();
  await exporter[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

/** One `export --all`; what it says of each table, in the order in which they ended. */
async function all(request: Partial<ExportRequest> = {}, ended: (result: TableResult) => void = () => {}) {
  const results = await exportTables(
    exporter.deps,
    {
      ...{ tables: names.map((name) => tableSettings(name)), full: false, readers: 2, holder: 'test', leaseMs: 60_000 },
      ...request,
    },
    { started() {}, advanced() {}, ended },
    never,
  );
  return results.map(({ table, state, rows, ...rest }) => ({
    said: `${table.table} ${state}${rows > 0n ? ` ${rows}` : ''}`,
    error: 'error' in rest ? rest.error.code : null,
  }));
}

const said = async (...given: Parameters<typeof all>) => (await all(...given)).map((result) => result.said).sort();
const idle = (...busy: string[]) => names.filter((name) => !busy.includes(name)).map((name) => `${name} nothing`);
const ids = async (table: string) => (await exporter.rows(table)).map((row) => Number(row.id)).sort((x, y) => x - y);

/** Leases taken so far: an idle table takes none. */
async function leases(): Promise<number> {
  const [{ last }] = await db.query<{ last: string }>('select last_value as last from tidemark.lease_token');
  return Number(last);
}

test('idle tables are told without a lease each, and their marks move on', async () => {
  expect(await said()).toEqual(names.map((name) => `${name} committed 3`));
  const [before, taken] = [await exporter.mark('a'), await leases()];
  expect(await said()).toEqual(idle());
  expect(await leases()).toBe(taken);
  const after = await exporter.mark('a');
  expect(after!.at).toBeGreaterThan(before!.at);
  expect(after!.floor).toBeGreaterThan(before!.floor!);
  expect({ ...after, at: 0, floor: 0, xmin: 0, seen: 0, history: 0 }).toEqual({
    ...{ ...before, at: 0, floor: 0, xmin: 0, seen: 0, history: 0 },
  });
});

test('a table in which something is new is exported; the others are idle', async () => {
  await all();
  await db.query('insert into c values (4)');
  expect(await said()).toEqual([...idle('c').slice(0, 2), 'c committed 1', ...idle('c').slice(2)]);
  expect(await said()).toEqual(idle());
  expect(await ids('c')).toEqual([1, 2, 3, 4]);
});

test('a transaction that is open during looks is found by the first one after it, whatever its cursor says', async () => {
  await all();
  await other.query('begin; insert into a values (4); savepoint s; insert into b values (4); release s');
  for (let i = 0; i < 3; i++) expect(await said()).toEqual(idle());
  await db.query('insert into a values (5)');
  expect(await said()).toEqual(['a committed 1', ...idle('a')]);
  expect(await said()).toEqual(idle());
  await other.query('commit');
  expect(await said()).toEqual(['a committed 1', 'b committed 1', ...idle('a', 'b')]);
  expect([await ids('a'), await ids('b')]).toEqual([
    [1, 2, 3, 4, 5],
    [1, 2, 3, 4],
  ]);
});

test('a prepared transaction, rolled forward after looks', async () => {
  await all();
  await other.query("begin; insert into a values (4); prepare transaction 'one'");
  expect(await said()).toEqual(idle());
  await other.query("commit prepared 'one'");
  expect(await said()).toEqual(['a committed 1', ...idle('a')]);
});

test('one that fails does not take the others with it, and says itself what is wrong', async () => {
  const tables = names.map((name) => tableSettings(name, name === 'b' ? { where: 'no_such_column = 1' } : {}));
  await all();
  await db.query('drop table d');
  const results = await all({ tables });
  const failed = results.filter(({ error }) => error !== null);
  expect(failed.map(({ said, error }) => `${said}: ${error}`).sort()).toEqual([
    'b failed: CONFIG_INVALID',
    'd failed: TABLE_UNKNOWN',
  ]);
  expect(results.map((result) => result.said).sort()).toEqual([
    'a nothing',
    'b failed',
    'c nothing',
    'd failed',
    'e nothing',
  ]);
});

test('a connection that breaks off during a look costs one table its run at most', async () => {
  const tables = names.map((name) =>
    tableSettings(name, name === 'b' ? { where: 'pg_terminate_backend(pg_backend_pid())' } : {}),
  );
  await all();
  await db.query('insert into b values (4)');
  const results = await all({ tables });
  expect(results.map((result) => `${result.said} ${result.error ?? ''}`.trim()).sort()).toEqual([
    'a nothing',
    'b failed SOURCE_LOST',
    'c nothing',
    'd nothing',
    'e nothing',
  ]);
});

test('one that is locked holds nobody up', async () => {
  await all();
  await db.query('insert into e values (4)');
  await other.query('begin; lock table b in access exclusive mode');
  let unlocked: Promise<unknown> | null = null;
  let ended = 0;
  const results = await said({}, () => {
    // All others have ended: now the lock may go.
    if (++ended === names.length - 1) unlocked = other.query('rollback');
  });
  await unlocked;
  expect(results).toEqual(['a nothing', 'b nothing', 'c nothing', 'd nothing', 'e committed 1']);
});

test('partitions that are attached, tables that are truncated or written anew are left to their own run', async () => {
  await db.query(`create table p (id int, updated_at timestamptz not null default now(), primary key (id)) partition by range (id);
    create table p1 partition of p for values from (1) to (100); insert into p select generate_series(1, 3);
    create table p2 (like p including all); insert into p2 values (101, now() - interval '1 year')`);
  const tables = [...names, 'p'].map((name) => tableSettings(name));
  await all({ tables });
  expect(await said({ tables })).toEqual([...idle(), 'p nothing']);
  await db.query(`alter table p attach partition p2 for values from (100) to (200);
    truncate a; insert into a values (7, now() - interval '1 year');
    drop table b; create table b (id int primary key, updated_at timestamptz not null); insert into b values (1, '2020-01-01')`);
  expect(await said({ tables })).toEqual([
    'a committed 1',
    'b committed 1',
    'c nothing',
    'd nothing',
    'e nothing',
    'p committed 1',
  ]);
  expect(await ids('p')).toEqual([1, 2, 3, 101]);
});

test('a column that was added is noted by a run of the table', async () => {
  await all();
  const taken = await leases();
  await db.query('alter table c add column note text');
  expect(await said()).toEqual(idle());
  expect(await leases()).toBe(taken + 1);
  expect(await said()).toEqual(idle());
  expect(await leases()).toBe(taken + 1);
});

test('without a cursor, or with a NULL in it, what is new is found as well', async () => {
  await db.query('alter table b alter updated_at drop not null');
  const tables = names.map((name) => tableSettings(name, name === 'a' ? { cursor: 'none' } : {}));
  await all({ tables });
  expect(await said({ tables })).toEqual(idle());
  await db.query(`insert into a values (4, '2001-01-01'); insert into b values (4, null)`);
  expect(await said({ tables })).toEqual(['a committed 1', 'b committed 1', ...idle('a', 'b')]);
});

test('the mark of a table that another process works on, or that is paused, stays where it is', async () => {
  await all();
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => exporter.mark(name)));
  const { lease } = await take(exporter.state, 'a', 'another');
  await exporter.state.pause([{ name: { schema: 'public', table: 'b' }, folder: 'b' }], 'me', never);
  expect(await said()).toEqual(['a held', 'b held', 'c nothing', 'd nothing', 'e nothing']);
  await exporter.state.release([lease]);
  await exporter.state.resume(['b'], never);
  expect([await exporter.mark('a'), await exporter.mark('b')]).toEqual([a, b]);
  expect((await exporter.mark('c'))!.at).toBeGreaterThan(c!.at);
});

test('a mark that another process moved, or works on, since it was read does not move', async () => {
  await all();
  const wanted = names.map((name) => ({ name: { schema: 'public', table: name }, folder: name }));
  const standing = await exporter.state.standing(wanted, never);
  const moved = standing.map(({ mark, rest }) => ({ rest: rest!, mark: { ...mark!, at: mark!.at + 1n } }));
  await take(exporter.state, 'a');
  const { lease } = await take(exporter.state, 'b');
  await exporter.state.saveIdle([{ lease, mark: { ...standing[1].mark!, at: 5n }, columns: null }]);
  await exporter.state.release([lease]);
  await exporter.state.moveMarks(moved, never);
  await db.query(
    'update tidemark.lease set holder = null, token = null, claim = null, acquired_at = null, expires_at = null',
  );
  const at = await Promise.all(['a', 'b', 'c'].map(async (name) => (await exporter.mark(name))!.at));
  expect(at).toEqual([standing[0].mark!.at, 5n, moved[2].mark.at]);
});

test('the one furthest behind comes first, a first export last, a small one before a large one', async () => {
  await db.query('drop table d, e; create table d (id int primary key); create table e (id int primary key)');
  await db.query(
    'insert into d select generate_series(1, 3000); insert into e select generate_series(1, 100); analyze d, e',
  );
  const only = (...some: string[]) => ({ tables: some.map((name) => tableSettings(name)), readers: 1 });
  for (const name of ['b', 'c', 'a']) await all(only(name));
  for (const name of names) await db.query(`insert into ${name} values (5000)`);
  expect((await all(only('a', 'b', 'c', 'd', 'e'))).map((result) => result.said.split(' ')[0])).toEqual([
    'b',
    'c',
    'a',
    'e',
    'd',
  ]);
});

test('a table that was looked at since it was due is given back as it is', async () => {
  await all();
  await db.query('insert into a values (4); insert into b values (4)');
  const { at } = (await exporter.mark('a'))!;
  expect(await said({ unlessCheckedSince: at - 1n, tables: [tableSettings('a')] })).toEqual(['a nothing']);
  expect(await said({ unlessCheckedSince: at, tables: [tableSettings('a')] })).toEqual(['a committed 1']);
  expect(await said({ unlessCheckedSince: at - 1n, full: true, tables: [tableSettings('b')] })).toEqual([
    'b committed 4',
  ]);
});
