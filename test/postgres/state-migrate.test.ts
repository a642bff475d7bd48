import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { expect, test } from 'vitest';
import { MIGRATIONS, VERSION } from '../../src/state/migrations.ts';
import { migrateOnly } from '../../src/state/open-state.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { ROOT, startPostgres } from '../support/postgres-server.ts';
import { isHeld, never, openAt, PLAN, prepare, silent, take } from '../support/state.ts';

const migrate = (url: string, schema = 'tidemark') => migrateOnly({ url, schema, maxConnections: 1 }, silent, never);

const grant = (fragment: string) =>
  expect.objectContaining({ code: 'STATE_GRANT', hint: expect.stringContaining(fragment) });

const ALL = MIGRATIONS.map(({ name }) => name);

test('from nothing; a second time there is nothing to do', async () => {
  await using db = await createDatabase();
  expect(await migrate(db.url)).toEqual({ schema: 'tidemark', from: 0, to: VERSION, applied: ALL });
  expect(await migrate(db.url)).toEqual({ schema: 'tidemark', from: VERSION, to: VERSION, applied: [] });
});

test('from version 1, with what is in it; a second time there is nothing to do', async () => {
  await using db = await createDatabase();
  let committed: bigint;
  {
    await using store = await openAt(db.url, { schema: 'newest' });
    const { lease } = await take(store, 'invoice');
    committed = await prepare(store, lease);
    await store.commit(lease, committed, never);
    await store.fail(lease, null, { code: 'SOURCE_LOST', message: 'gone' });
  }
  const before = await versionOne(db, 'newest');
  expect(before.map((rows) => rows.length)).toEqual([1, 1, 2, 2, 1]);

  await expect(openAt(db.url, { migrate: 'never' })).rejects.toMatchObject({ code: 'STATE_NOT_MIGRATED' });
  expect(await migrate(db.url)).toEqual({ schema: 'tidemark', from: 1, to: VERSION, applied: ALL.slice(1) });
  expect(await migrate(db.url)).toEqual({ schema: 'tidemark', from: VERSION, to: VERSION, applied: [] });
  expect(await rowsOf(db)).toMatchObject(before);
  await using store = await openAt(db.url, { migrate: 'never' });
  expect((await store.rawRuns('invoice', 0n, never)).runs!.map(({ run }) => run)).toEqual([committed]);
  expect((await store.status())[0]).toMatchObject({ failure: { run: committed + 1n }, staged: null });
});

const FIRST = ['store', 'source_table', 'run', 'raw_file', 'lease'];

async function rowsOf(db: TestDatabase) {
  const tables = [];
  for (const table of FIRST) tables.push(await db.query(`select * from tidemark.${table}`));
  return tables;
}

/** A state store as the first version made it, with the rows of another one; returns them. */
async function versionOne(db: TestDatabase, from: string) {
  const kysely = new Kysely<never>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: db.url }) }),
  });
  await db.query('create schema tidemark');
  await MIGRATIONS[0].up(kysely, 'tidemark');
  await kysely.destroy();
  await db.query(
    `create table tidemark.tidemark_migration as select * from ${from}.tidemark_migration where version = 1`,
  );
  await db.query('delete from tidemark.store');
  for (const table of FIRST) {
    const [{ columns }] = await db.query<{ columns: string }>(
      `select string_agg(quote_ident(attname), ', ' order by attnum) as columns from pg_attribute
       where attrelid = 'tidemark.${table}'::regclass and attnum > 0 and not attisdropped`,
    );
    await db.query(
      `insert into tidemark.${table} (${columns}) overriding system value select ${columns} from ${from}.${table}`,
    );
  }
  return rowsOf(db);
}

test('opening creates it when allowed, and it keeps its id', async () => {
  await using db = await createDatabase();
  await expect(openAt(db.url, { migrate: 'never' })).rejects.toMatchObject({
    code: 'STATE_NOT_MIGRATED',
    hint: 'tidemark migrate',
  });
  await using first = await openAt(db.url);
  await using second = await openAt(db.url, { migrate: 'never' });
  expect(second.id).toBe(first.id);
  expect(first.id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

test('ten processes at once make one state store', async () => {
  await using db = await createDatabase();
  const script = path.join(ROOT, 'test/support/state-process.ts');
  const open = async () => (await promisify(execFile)(process.execPath, [script, db.url, 'tidemark'])).stdout;
  const ids = await Promise.all(Array.from({ length: 10 }, open));
  expect(new Set(ids).size).toBe(1);
  expect(await db.query('select count(*)::int as n from tidemark.tidemark_migration')).toEqual([{ n: ALL.length }]);
});

test.each(['Tide Mark', 'a"b', "it's", 'dot.ted', '🌊'.repeat(15), 'select', 'public'])(
  'a schema called %s works throughout',
  async (schema) => {
    await using db = await createDatabase();
    await using store = await openAt(db.url, { schema });
    const { lease } = await take(store, 'invoice');
    const { run } = await store.plan(lease, PLAN, never);
    await store.fail(lease, run, { code: 'SOURCE_LOST', message: 'gone' });
    await store.abandon(lease, run, 'cleaned up');
    await store.release([lease]);
    expect((await store.status()).map(({ folder, failure }) => [folder, failure?.run])).toEqual([['invoice', run]]);
    expect(await db.query(`select nspname from pg_namespace where nspname = $1`, [schema])).toHaveLength(1);
  },
);

test('a newer schema is refused, by every process', async () => {
  await using db = await createDatabase();
  await migrate(db.url);
  await db.query(`insert into tidemark.tidemark_migration (version, name) values (99, '0099-from-the-future')`);
  const newer = expect.objectContaining({ code: 'STATE_NEWER', message: expect.stringContaining('99') });
  await expect(openAt(db.url)).rejects.toEqual(newer);
  await expect(openAt(db.url, { migrate: 'never' })).rejects.toEqual(newer);
  await expect(migrate(db.url)).rejects.toEqual(newer);
});

test('a migration that fails leaves nothing behind', async () => {
  await using db = await createDatabase();
  await db.query('create schema tidemark; create table tidemark.lease (x int)');
  await expect(migrate(db.url)).rejects.toMatchObject({ code: 'STATE_FAILED' });
  const tables = `select relname from pg_class where relnamespace = 'tidemark'::regnamespace and relkind = 'r'`;
  expect(await db.query(tables)).toEqual([{ relname: 'lease' }]);
});

test('a role that may create nothing is told which GRANT it needs', async () => {
  await using db = await createDatabase();
  const role = await db.role();
  await expect(openAt(role.url)).rejects.toEqual(grant(`CREATE SCHEMA "tidemark" AUTHORIZATION "${role.name}"`));
  await db.query('create schema tidemark');
  await expect(openAt(role.url)).rejects.toEqual(grant(`GRANT USAGE, CREATE ON SCHEMA "tidemark" TO "${role.name}"`));
});

test('a role without CREATE on the database works in an empty schema that it owns', async () => {
  await using db = await createDatabase();
  const role = await db.role();
  await db.query(`create schema tidemark authorization ${role.name}`);
  await using store = await openAt(role.url);
  const { lease } = await take(store, 'invoice');
  await store.plan(lease, PLAN, never);
  await drop(db, role.name);
});

test('a role that only uses what an administrator created works with exactly the rights of the hint', async () => {
  await using db = await createDatabase();
  const role = await db.role();
  await migrate(db.url);
  const refused = await openAt(role.url).catch((error: unknown) => error as { code: string; hint: string });
  expect(refused).toMatchObject({ code: 'STATE_GRANT' });
  await db.query((refused as { hint: string }).hint);
  await using store = await openAt(role.url, { migrate: 'never' });
  const { lease } = await take(store, 'invoice');
  const { run } = await store.plan(lease, PLAN, never);
  await store.abandon(lease, run, 'enough');
  await store.fail(lease, null, { code: 'SOURCE_LOST', message: 'gone' });
  await store.release([lease]);
  await drop(db, role.name);
});

test('a standby is refused with what to do', async () => {
  await using server = await startPostgres();
  await server.stop();
  await writeFile(path.join(server.dataDir, 'standby.signal'), '');
  await server.start();
  await expect(openAt(server.url())).rejects.toMatchObject({
    code: 'STATE_READ_ONLY',
    hint: expect.stringContaining('state.url'),
  });
});

test('settings of the database do not reach the state store', async () => {
  await using db = await createDatabase();
  await db.query('create schema trap');
  await db.query(
    `create function trap.clock_timestamp() returns timestamptz language sql as $$ select 'infinity'::timestamptz $$`,
  );
  for (const setting of [
    `default_transaction_isolation = 'serializable'`,
    'default_transaction_read_only = on',
    'synchronous_commit = off',
    'search_path = trap, pg_catalog',
    `DateStyle = 'German'`,
    `TimeZone = 'Asia/Kathmandu'`,
  ])
    await db.query(`alter database ${db.name} set ${setting}`);
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const { run } = await store.plan(lease, PLAN, never);
  await using other = await openAt(db.url);
  const [held] = await other.acquire('export', [{ name: lease.table, folder: 'invoice' }], 'two', 1000, never);
  expect(isHeld(held) && held.expiresAt).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  const [row] = await db.query<{ at: string }>(
    `select extract(epoch from snapshot_at)::text as at from tidemark.run where run = $1`,
    [run],
  );
  expect(row.at).toBe('1782900000.123456');
});

test('every table and every column that is not plain from its name is commented', async () => {
  await using db = await createDatabase();
  await migrate(db.url);
  const uncommented = await db.query(`
    select relname from pg_class where relnamespace = 'tidemark'::regnamespace and relkind in ('r', 'S')
    and obj_description(oid, 'pg_class') is null and relname !~ '_id_seq$'`);
  expect(uncommented).toEqual([]);
});

/** The role goes with the database: what it owns must not hold it. */
async function drop(db: TestDatabase, role: string): Promise<void> {
  await db.query(`drop owned by ${role} cascade`);
}
