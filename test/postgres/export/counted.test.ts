/** A cursor that is counted (bigint): an index serves it, and no row is missed while transactions are open, whenever they drew their numbers. */

import pg from 'pg';
import { afterEach, expect, test } from 'vitest';
import { db, exporter } from '../../support/exporter-for-each.ts';

const clients: pg.Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.end();
});

async function session(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: db.url });
  await client.connect();
  clients.push(client);
  return client;
}

const settings = { cursor: { column: 'rev' }, marginMs: 0 };
const run = (more = {}) => exporter.run('t', { settings: { ...settings, ...more } });

/** By a trigger, on insert and on update. */
const TRIGGER = `create sequence s;
  create table t (id int primary key, v int, rev bigint not null default nextval('s'));
  create index on t (rev);
  create function draw() returns trigger language plpgsql as $$ begin new.rev := nextval('s'); return new; end $$;
  create trigger draw before update on t for each row execute function draw()`;

test('runs bring what changed, each version once, by the index', async () => {
  await db.query(TRIGGER);
  await db.query('insert into t select i, 0 from generate_series(1, 1000) i');
  expect(await run()).toMatchObject({ rows: 1000n });
  expect(await run()).toMatchObject({ state: 'nothing' });
  await db.query('update t set v = 1 where id in (3, 4)');
  expect(await run()).toMatchObject({ rows: 2n, watermark: '1002' });
  expect((await exporter.mark('t', settings))?.trail.at(-1)?.value).toBe(1002n);
  await db.query('insert into t values (2000, 0)');
  expect(await run()).toMatchObject({ rows: 1n, lateRows: 0n });
  expect(await run()).toMatchObject({ state: 'nothing' });
});

test('a number drawn early, by a transaction that gets its id late, is not lost behind later ones', async () => {
  await db.query(TRIGGER);
  await run();
  const early = await session();
  await early.query("begin; select nextval('s')");
  const [{ id }] = await db.query<{ id: string | null }>(
    'select backend_xid::text as id from pg_stat_activity where pid = $1',
    [(early as unknown as { processID: number }).processID],
  );
  // nextval writes to the WAL, and so needs an id, once in 32 numbers only.
  if (id !== null) await early.query("commit; begin; select nextval('s')");
  for (let i = 1; i <= 5; i++) {
    await db.query('insert into t values ($1, 0)', [i]);
    await run();
  }
  await early.query('insert into t values (100, 0, 2)');
  await early.query('commit');
  expect(await run()).toMatchObject({ rows: 1n, lateRows: 1n });
  expect(await run()).toMatchObject({ state: 'nothing' });
});

test('an integer that is the primary key, of a table that is only inserted into', async () => {
  await db.query('create table t (id int generated always as identity primary key, v int)');
  await db.query('insert into t (v) select i from generate_series(1, 100) i');
  const log = { cursor: { column: 'id' } };
  expect(await run(log)).toMatchObject({ rows: 100n });
  const open = await session();
  await open.query('begin; insert into t (v) values (0)');
  for (let i = 0; i < 4; i++) {
    await db.query('insert into t (v) values (1)');
    expect(await run(log)).toMatchObject({ rows: 1n });
  }
  await open.query('commit');
  expect(await run(log)).toMatchObject({ rows: 1n });
  expect(await run(log)).toMatchObject({ state: 'nothing' });
});

test('writers at work, some of them long, while runs go on: none is missed, none comes twice', async () => {
  await db.query(TRIGGER);
  const busy = { on: true, done: 0 };
  const writer = async (name: number) => {
    const client = await session();
    for (let i = 0; busy.on; i++) {
      await client.query(`begin; select nextval('s')`);
      if (i % 3 === name % 3) await new Promise((go) => setTimeout(go, 40));
      await client.query('insert into t values ($1, 0) on conflict (id) do update set v = t.v + 1', [
        (name * 7 + i * 13) % 300,
      ]);
      if (i % 5 === 0) await new Promise((go) => setTimeout(go, 25));
      await client.query(i % 7 === 0 ? 'rollback' : 'commit');
      busy.done++;
    }
  };
  const writers = [0, 1, 2, 3].map(writer);
  for (let runs = 0; runs < 20 || busy.done < 300; runs++) await run();
  busy.on = false;
  await Promise.all(writers);
  await run();
  expect(await run()).toMatchObject({ state: 'nothing' });
  const rows = await exporter.rows('t');
  const versions = rows.map(({ id, rev }) => `${id}/${rev}`);
  expect(new Set(versions).size).toBe(versions.length);
  const newest = new Map<string, { run: number; rev: string }>();
  for (const { id, rev, _tidemark_run } of rows) {
    if (Number(_tidemark_run) >= (newest.get(id!)?.run ?? 0))
      newest.set(id!, { run: Number(_tidemark_run), rev: rev! });
  }
  const there = await db.query<{ id: number; rev: string }>('select id, rev::text as rev from t');
  expect(there.length).toBeGreaterThan(100);
  for (const { id, rev } of there) expect(newest.get(String(id))?.rev, `row ${id}`).toBe(rev);
});

test('a count that begins anew: after TRUNCATE … RESTART IDENTITY, and after setval', async () => {
  await db.query('create table t (id bigserial primary key, v int)');
  const log = { cursor: { column: 'id' } };
  await db.query('insert into t (v) select 0 from generate_series(1, 50)');
  await run(log);
  await run(log);
  await db.query('truncate t restart identity; insert into t (v) values (7)');
  expect(await run(log)).toMatchObject({ rows: 1n, watermark: '1' });
  await db.query('insert into t (v) values (8)');
  expect(await run(log)).toMatchObject({ rows: 1n });
  await db.query("select setval('t_id_seq', 1000)");
  await db.query('insert into t (v) values (9)');
  await run(log);
  await run(log);
  await db.query("select setval('t_id_seq', 500)");
  await db.query('insert into t (v) values (10)');
  expect(await run(log)).toMatchObject({ rows: 1n });
  expect(await run(log)).toMatchObject({ state: 'nothing' });
});

test('the same where only a trigger draws', async () => {
  await db.query(`create sequence s; create table t (id int primary key, rev bigint);
    create function draw() returns trigger language plpgsql as $$ begin new.rev := nextval('s'); return new; end $$;
    create trigger draw before insert or update on t for each row execute function draw()`);
  await db.query('insert into t select i from generate_series(1, 50) i');
  await run();
  await run();
  expect((await exporter.mark('t', settings))?.trail.at(-1)?.value).toBe(50n);
  await db.query("truncate t; select setval('s', 1); insert into t values (1)");
  expect(await run()).toMatchObject({ rows: 1n, watermark: '2' });
  await db.query('insert into t values (2)');
  expect(await run()).toMatchObject({ rows: 1n });
  expect(await run()).toMatchObject({ state: 'nothing' });
});

test('another column that counts is looked at anew', async () => {
  await db.query('create table t (id bigserial primary key, other bigserial)');
  const by = (column: string) => ({ cursor: { column } });
  await db.query('alter sequence t_other_seq restart with 1000; insert into t select from generate_series(1, 10)');
  await run(by('other'));
  await run(by('other'));
  await db.query('insert into t default values');
  expect(await run(by('id'))).toMatchObject({ rows: 1n, watermark: '11' });
  await db.query('insert into t default values');
  expect(await run(by('id'))).toMatchObject({ rows: 1n });
});

test('a number set by hand far ahead does not hide those that come', async () => {
  await db.query('create table t (id bigserial primary key, v int)');
  const log = { cursor: { column: 'id' } };
  await db.query('insert into t (v) values (0); insert into t values (1000000, 0)');
  await run(log);
  await run(log);
  // By the sequence, not by the greatest number exported: else no run could use the index.
  expect((await exporter.mark('t', log))?.trail.at(-1)?.value).toBe(1n);
  await db.query('insert into t (v) values (1)');
  expect(await run(log)).toMatchObject({ rows: 1n });
});

test.each([
  [
    'a session that takes many numbers at once',
    `create sequence s cache 10; create table t (id int primary key, rev bigint default nextval('s'))`,
  ],
  ['a counter of each row', 'create table t (id int primary key, rev bigint not null default 1)'],
  ['a column that nobody sets', 'create table t (id int primary key, rev bigint)'],
  ['a text', 'create table t (id int primary key, rev text)'],
])('%s is refused', async (_, table) => {
  await db.query(table);
  await expect(run()).rejects.toMatchObject({ code: 'CURSOR_TYPE', hint: expect.stringContaining('cursor: none') });
});
