import { expect, test } from 'vitest';
import { connect, disconnect } from '../../src/postgres/connect.ts';
import { describeTables } from '../../src/postgres/describe.ts';
import { type CatalogTable, listTables } from '../../src/postgres/tables.ts';
import { TypeCatalog } from '../../src/postgres/type-catalog.ts';
import { createDatabase } from '../support/postgres.ts';

const names = (tables: CatalogTable[]) => tables.map(({ name }) => `${name.schema}.${name.table}`);

test('lists ordinary and partitioned tables; not partitions, views, temporary tables, extensions’, or our own schema', async () => {
  await using db = await createDatabase();
  await db.query(`create table one (id int primary key);
    create table parts (id int, at date) partition by range (at);
    create table parts_2024 partition of parts for values from ('2024-01-01') to ('2025-01-01') partition by range (id);
    create table parts_2024_a partition of parts_2024 for values from (1) to (10);
    create view seen as select * from one;
    create materialized view kept as select * from one;
    create temporary table passing (id int);
    create unlogged table rough (id int);
    create table counted (id int); alter extension plpgsql add table counted;
    create schema tidemark; create table tidemark.run (id int);
    create schema "Odd ""Schema"; create table "Odd ""Schema"."Odd.Table" (id int)`);
  expect(names(await listTables(db.client, 'tidemark'))).toEqual([
    'Odd "Schema.Odd.Table',
    'public.one',
    'public.parts',
    'public.rough',
  ]);
  expect(names(await listTables(db.client, null))).toContain('tidemark.run');
});

test('says what could be a cursor, and which index begins with it', async () => {
  await using db = await createDatabase();
  await db.query(`create domain moment as timestamptz;
    create table t (id int, updated_at timestamptz not null, born date, changed timestamp, moment moment, day text, gone timestamptz);
    alter table t drop column gone;
    create index on t (updated_at); create index on t (id, born); create index on t (changed) where id > 3; create index on t using brin (moment)`);
  const [table] = await listTables(db.client, null);
  expect(table.columns).toEqual(['id', 'updated_at', 'born', 'changed', 'moment', 'day']);
  expect(table.timeColumns).toEqual([
    { name: 'updated_at', type: 'timestamptz', nullable: false, indexed: true },
    { name: 'born', type: 'date', nullable: true, indexed: false },
    { name: 'changed', type: 'timestamp', nullable: true, indexed: false },
    { name: 'moment', type: 'timestamptz', nullable: true, indexed: false },
  ]);
});

test('an index on a partitioned table counts once every partition has it', async () => {
  await using db = await createDatabase();
  await db.query(`create table p (id int, at date) partition by range (id);
    create table p1 partition of p for values from (1) to (10);
    create index i on only p (at)`);
  const indexed = async () => (await listTables(db.client, null))[0].timeColumns[0].indexed;
  expect(await indexed()).toBe(false);
  await db.query('create index i1 on p1 (at); alter index i attach partition i1');
  expect(await indexed()).toBe(true);
});

test('keys in the order of the key, row estimates over all partitions', async () => {
  await using db = await createDatabase();
  await db.query(`create table never (a int, b int, c text, primary key (b, a) include (c));
    create table p (id int) partition by hash (id);
    create table p0 partition of p for values with (modulus 2, remainder 0);
    create table p1 partition of p for values with (modulus 2, remainder 1);
    insert into p select generate_series(1, 5000); analyze p`);
  const [never, p] = await listTables(db.client, null);
  expect(never).toMatchObject({ primaryKey: ['b', 'a'], estimatedRows: null, partitioned: false });
  expect(p).toMatchObject({ primaryKey: [], estimatedRows: 5000, partitioned: true, rowSecurity: false });
});

test('a role sees what it may not read, and why', async () => {
  await using db = await createDatabase();
  const role = await db.role();
  await db.query(`create schema shut; create table shut.t (id int); create table open (id int); create table closed (id int);
    create table ruled (id int); alter table ruled enable row level security;
    grant select on open, ruled, shut.t to ${role.name}`);
  const client = await connect({ role: 'source', url: role.url, env: {} }, new AbortController().signal);
  const found = (await listTables(client, null)).map((t) => [t.name.table, t.mayRead, t.mayUseSchema, t.rowSecurity]);
  await disconnect(client);
  expect(found).toEqual([
    ['closed', false, true, false],
    ['open', true, true, false],
    ['ruled', true, true, true],
    ['t', true, false, false],
  ]);
});

test('a table that somebody has locked holds nobody up', async () => {
  await using db = await createDatabase();
  await db.query(`create table t (id int primary key); create table p (id int) partition by list (id);
    create table p1 partition of p for values in (1)`);
  const other = await connect({ role: 'source', url: db.url, env: {} }, new AbortController().signal);
  await other.query('begin; lock table t, p, p1 in access exclusive mode');
  await db.query(`set statement_timeout = '5s'`);
  expect((await listTables(db.client, null)).map(({ name }) => name.table)).toEqual(['p', 't']);
  const names = ['t', 'p'].map((table) => ({ schema: 'public', table }));
  expect(await describeTables(db.client, names, new TypeCatalog())).toMatchObject([{ estimatedRows: 0 }, {}]);
  await disconnect(other);
});
