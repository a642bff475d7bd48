import pg from 'pg';
import { describe, expect, test, vi } from 'vitest';
import { selectChangedRows } from '../../../src/postgres/changed-rows.ts';
import { createExporter } from '../../support/exporter.ts';
import { db, exporter } from '../../support/exporter-for-each.ts';
import { createDatabase } from '../../support/postgres.ts';

async function session(zone: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: db.url });
  await client.connect();
  await client.query(`set timezone = '${zone}'`);
  return client;
}

describe.each(['timestamptz', 'timestamptz(0)', 'timestamptz(3)', 'timestamp', 'timestamp(0)', 'timestamp(3)', 'date'])(
  '%s',
  (type) => {
    test.each(['America/New_York', 'Etc/GMT+12', 'Pacific/Kiritimati'])(
      'a writer in %s is never missed',
      async (zone) => {
        await db.query(`create table t (id int primary key, updated_at ${type} not null default now())`);
        const writer = await session(zone);
        await writer.query('insert into t select i from generate_series(1, 5) i');
        expect(await exporter.run('t')).toMatchObject({ rows: 5n });
        await writer.query('update t set updated_at = now() where id < 3');
        expect(await exporter.run('t')).toMatchObject({ rows: 2n });
        await writer.query('begin; update t set updated_at = now() where id = 3');
        await exporter.run('t');
        await writer.query('commit');
        expect(await exporter.run('t')).toMatchObject({ rows: 1n });
        expect(await exporter.run('t')).toMatchObject({ state: 'nothing' });
        await writer.end();
      },
    );
  },
);

test('with a configured zone the floor follows that zone, less an hour for the autumn change', async () => {
  await db.query('create table t (id int primary key, updated_at timestamp not null default now())');
  const settings = { timezone: 'America/New_York' };
  const writer = await session('America/New_York');
  await writer.query('insert into t values (1)');
  await exporter.run('t', { settings });
  await writer.query('insert into t values (2)');
  expect(await exporter.run('t', { settings })).toMatchObject({ rows: 1n });
  await writer.end();
});

test('a range of the index serves 1,000 changed rows of many', async () => {
  await db.query('create table t (id bigint primary key, pad text, updated_at timestamptz)');
  await db.query('create index on t (updated_at)');
  await db.query(
    "insert into t select i, repeat('x', 50), timestamptz '2024-01-01' + i * interval '1 second' from generate_series(1, 50000) i",
  );
  await db.query('analyze t');
  const query = (notNull: boolean) =>
    selectChangedRows({
      table: { schema: 'public', table: 't' },
      columns: [{ name: 'id', selection: 'plain' }],
      since: { xmin: 700n, seen: [{ from: 710n, to: 720n }], floor: BigInt(Date.UTC(2024, 0, 1, 13, 40)) * 1000n },
      xmax: 5000n,
      cursor: { column: 'updated_at', type: 'timestamptz', notNull, timezone: null },
      where: null,
      start: null,
    });
  const plan = async (text: string) =>
    (await db.query<{ 'QUERY PLAN': string }>(`explain ${text}`)).map((row) => row['QUERY PLAN']).join('\n');
  expect(await plan(query(true))).toMatch(/Index Scan[\s\S]*Index Cond: \(updated_at >= /);
  // Where the cursor may be NULL, two ranges of the same index.
  const nullable = await plan(query(false));
  expect(nullable).toMatch(/Index Cond: \(updated_at >= /);
  expect(nullable).toMatch(/Index Cond: \(updated_at IS NULL\)/);
  expect(nullable).not.toContain('Seq Scan');
});

test('where the activity of others is hidden, transactions are assumed to last no longer than `late`', async () => {
  await using other = await createDatabase();
  const { name, url } = await other.role();
  await other.query('create table t (id int primary key, updated_at timestamptz not null default now())');
  await other.query(`grant select on t to ${name}; grant create on database ${other.name} to ${name}`);
  await using limited = await createExporter(url);
  const floorAge = async () => {
    const { at, floor } = (await limited.mark('t'))!;
    return Number(at - floor!) / 1e6;
  };
  // Hidden is the activity of the test's own superuser.
  await limited.run('t');
  expect(await floorAge()).toBeGreaterThan(3600);
  await other.query(`grant pg_read_all_stats to ${name}`);
  await limited.run('t', { full: true });
  expect(await floorAge()).toBeLessThan(1800);
});

test('several transactions in one message hold the floor by the start of the message', async () => {
  await db.query('create table t (id int primary key, updated_at timestamptz not null default now())');
  const writer = await session('UTC');
  await db.query('select pg_advisory_lock(1)');
  // now() of all of them is the message's arrival; between them xact_start is NULL or later.
  const busy = writer.query(
    'begin; commit; begin; select pg_advisory_lock(1); insert into t values (1); commit; begin; insert into t values (2); commit',
  );
  const waits = `select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()) and not granted`;
  await vi.waitFor(async () => expect(await db.query(waits)).toHaveLength(1), 30_000);
  // Longer than the margin below the floor.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await exporter.run('t');
  await db.query('select pg_advisory_unlock(1)');
  await busy;
  expect(await exporter.run('t')).toMatchObject({ rows: 2n });
  await writer.end();
});

test('a partitioned table is exported as one, also what moves between its partitions', async () => {
  await db.query(
    'create table p (id int, region text, updated_at timestamptz not null default now(), primary key (id, region)) partition by list (region)',
  );
  await db.query(
    "create table p_eu partition of p for values in ('eu'); create table p_us partition of p for values in ('us')",
  );
  await db.query("insert into p select i, case when i % 2 = 0 then 'eu' else 'us' end from generate_series(1, 10) i");
  expect(await exporter.run('p')).toMatchObject({ rows: 10n });
  await db.query("update p set region = 'us', updated_at = now() where id = 2");
  expect(await exporter.run('p')).toMatchObject({ rows: 1n });
  expect(
    (await exporter.rows('p'))
      .filter((row) => row.id === '2')
      .map((row) => row.region)
      .sort(),
  ).toEqual(['eu', 'us']);
});

test('`start` leaves older rows out of the first export, and `where` leaves rows out of every one', async () => {
  await db.query('create table t (id int primary key, updated_at timestamptz)');
  await db.query("insert into t values (1, '2020-01-01'), (2, '2024-06-01'), (3, null), (4, '2024-06-01')");
  const settings = { start: '2024-01-01', where: 'id <> 4' };
  await exporter.run('t', { settings });
  await db.query('update t set updated_at = now() where id in (1, 4)');
  expect(await exporter.run('t', { settings })).toMatchObject({ rows: 1n });
  expect((await exporter.rows('t')).map((row) => row.id).sort()).toEqual(['1', '2', '3']);
});
