/** The table changes its shape around an export: between the look and the snapshot, while the lock is waited for, behind the run. */

import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createExporter, type Exporter } from '../../support/exporter.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

let db: TestDatabase;
let exporter: Exporter;
let other: pg.Client;

beforeEach(async () => {
  db = await createDatabase();
  await db.query('create table invoice (id int primary key, total int, updated_at timestamptz not null default now())');
  await db.query('insert into invoice select i, i from generate_series(1, 100) i');
  // Else an export looks first how large it is, in a transaction of its own.
  await db.query('analyze invoice');
  exporter = await createExporter(db.url);
  other = new pg.Client({ connectionString: db.url });
  await other.connect();
});

afterEach(async () => {
  await other.end();
  await exporter[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

/** A run in which this happens at the step, and is over before the run goes on. */
const runWith = (step: string, text: string) =>
  exporter.run('invoice', {
    step: async (name) => {
      if (name === step) await db.query(text);
    },
  });

/** A run behind whose lock this waits; what it says once it was let through. */
async function runBefore(text: string) {
  let behind: Promise<unknown> = Promise.resolve();
  const outcome = await exporter.run('invoice', {
    step: async (name) => {
      if (name === 'plan') behind = other.query(text);
    },
  });
  await behind;
  return outcome;
}

const rows = () => exporter.rows('invoice');
const columns = async () => Object.keys((await rows())[0]).filter((name) => !name.startsWith('_tidemark'));

describe('between the look and the snapshot', () => {
  test('TRUNCATE: a full run of no rows, and what comes later is exported', async () => {
    expect(await runWith('looked', 'truncate invoice')).toMatchObject({
      state: 'committed',
      rows: 0n,
      files: [{ rows: 0 }],
    });
    await db.query('insert into invoice select i, 0 from generate_series(1, 5) i');
    expect(await exporter.run('invoice')).toMatchObject({ rows: 5n });
    expect(await rows()).toHaveLength(5);
  });

  test('TRUNCATE and new rows, in a later run: the new rows come, once', async () => {
    await exporter.run('invoice');
    const renew = 'begin; truncate invoice; insert into invoice select i, 0 from generate_series(1, 5) i; commit';
    expect(await runWith('looked', renew)).toMatchObject({ rows: 5n });
    expect(await exporter.run('invoice')).toMatchObject({ state: 'nothing' });
  });

  test('a column more, a column less', async () => {
    expect(
      await runWith('looked', `alter table invoice add note text default 'new'; alter table invoice drop total`),
    ).toMatchObject({ rows: 100n });
    expect(await columns()).toEqual(['id', 'updated_at', 'note']);
    expect((await rows()).every((row) => row.note === 'new')).toBe(true);
  });

  test('a wider type: the rewritten rows come whole, and the next run has it too', async () => {
    expect(await runWith('looked', 'alter table invoice alter total type bigint')).toMatchObject({ rows: 100n });
    await db.query('insert into invoice values (1000, 5000000000)');
    await exporter.run('invoice');
    expect((await rows()).map((row) => row.total)).toContain('5000000000');
  });

  test('a type that cannot follow: the table stops, with nothing written', async () => {
    await exporter.run('invoice');
    await db.query('insert into invoice values (1000, 1)');
    await expect(runWith('looked', 'alter table invoice alter total type text')).rejects.toMatchObject({
      code: 'SCHEMA_CHANGED',
      hint: expect.stringMatching(/as:.*--full/),
    });
    expect(await rows()).toHaveLength(100);
  });

  test('another table of that name: it is that one which is exported', async () => {
    const replace = `alter table invoice rename to old; create table invoice (id int primary key, name text);
      insert into invoice values (1, 'one')`;
    expect(await runWith('looked', replace)).toMatchObject({ rows: 1n });
    expect(await columns()).toEqual(['id', 'name']);
  });

  test('no table any more: an error, and the next run with a new one is complete', async () => {
    await expect(runWith('looked', 'drop table invoice')).rejects.toMatchObject({ code: 'TABLE_UNKNOWN' });
    await db.query('create table invoice (id int primary key); insert into invoice values (1)');
    expect(await exporter.run('invoice')).toMatchObject({ rows: 1n });
  });
});

describe('under way while the run begins: waited for, and seen', () => {
  test.each([
    ['a new column', 'alter table invoice add note text', `update invoice set note = 'x'`, 100],
    ['a rewritten table', 'alter table invoice alter total type bigint', 'select 1', 100],
    ['TRUNCATE', 'truncate invoice', 'insert into invoice select i, i from generate_series(101, 107) i', 7],
  ])('%s', async (_, first, then, count) => {
    await other.query(`begin; ${first}`);
    let ended: Promise<unknown> = Promise.resolve();
    const endOnceWaitedFor = async () => {
      const waiting = `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
      while ((await db.query(waiting)).length === 0);
      await other.query(`${then}; commit`);
    };
    const step = async (name: string) => {
      if (name === 'looked') ended = endOnceWaitedFor();
    };
    expect(await exporter.run('invoice', { step })).toMatchObject({ rows: BigInt(count) });
    await ended;
    const held = await db.query<{ id: number }>('select id from invoice order by id');
    expect((await rows()).map((row) => Number(row.id)).sort((a, b) => a - b)).toEqual(held.map(({ id }) => id));
    expect(await exporter.run('invoice')).toMatchObject({ state: 'nothing' });
  });
});

describe('behind the run', () => {
  test.each([
    ['TRUNCATE', 'truncate invoice', { state: 'nothing' }],
    ['a new column', `alter table invoice add note text`, { state: 'nothing' }],
    ['a dropped column', 'alter table invoice drop total', { state: 'nothing' }],
  ])('%s waits for its end and changes nothing of it', async (_, text, next) => {
    expect(await runBefore(text)).toMatchObject({ rows: 100n });
    expect((await rows()).filter((row) => row.total !== null)).toHaveLength(100);
    expect(await exporter.run('invoice')).toMatchObject(next);
    await db.query('insert into invoice (id) values (1000)');
    expect(await exporter.run('invoice')).toMatchObject({ rows: 1n });
    expect((await rows()).filter((row) => row.id === '1000')).toHaveLength(1);
  });

  test('DROP TABLE waits for its end', async () => {
    expect(await runBefore('drop table invoice')).toMatchObject({ rows: 100n });
    expect(await rows()).toHaveLength(100);
  });
});
