/** `tidemark export` of a table that Postgres refuses, or in the middle of which it breaks off. */

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Ended } from '../support/cli.ts';
import { type ExportScene, expectError, exportScene, variable } from '../support/export-scene.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

let scene: ExportScene;
/** May log in, and read what each test grants. */
let role: { name: string; url: string };
/** Waits for a lock as long as an export does; begun first, so that nobody waits for it. */
let locked: Promise<Ended>;
let locker: pg.Client;

beforeAll(async () => {
  scene = await exportScene();
  role = await scene.db.role();
  await scene.table('locked');
  await scene.isWholeAfterwards('locked');
  await scene.db.query('insert into locked values (1000)');
  locker = new pg.Client({ connectionString: scene.db.url });
  await locker.connect();
  await locker.query('begin; lock table locked in access exclusive mode');
  locked = scene.export('locked');
});

afterAll(() => scene[Symbol.asyncDispose]());

const asRole = () => ({ source: { url: role.url }, state: { url: variable('STATE_URL') } });
const rows = (table: string, settings: object) => ({ tables: [{ table, ...settings }] });

test('no such table: the nearest one is named', async () => {
  await scene.table('invoice_line');
  const ended = await scene.export('invoice_lines');
  expectError(ended, { exit: 2, code: 'TABLE_UNKNOWN', says: /invoice_lines/, hint: /invoice_line\b/ });
});

test('an entry whose table is gone fails alone', async () => {
  await scene.table('stays');
  const tables = [{ table: 'stays' }, { table: 'gone' }];
  const results = async () => {
    const ended = await scene.run(['export', '--all', '--json'], { tables });
    const { tables: each } = JSON.parse(ended.stdout) as { tables: { table: string; error?: { code: string } }[] };
    return [ended.code, each.map(({ table, error }) => [table, error?.code ?? 'done'])];
  };
  expect(await results()).toEqual([
    1,
    [
      ['public.stays', 'done'],
      ['public.gone', 'TABLE_UNKNOWN'],
    ],
  ]);
  await scene.db.query('create view gone as select 1 as id');
  expect(await results()).toEqual([
    1,
    [
      ['public.stays', 'done'],
      ['public.gone', 'RELATION_KIND'],
    ],
  ]);
});

test('no key: how to name one, or to do without', async () => {
  await scene.table('keyless');
  await scene.db.query('alter table keyless drop constraint keyless_pkey');
  const ended = await scene.export('keyless');
  expectError(ended, { exit: 3, code: 'KEY_MISSING', says: /keyless/, hint: /key: / });
  await scene.isUntouched('keyless');
  await scene.isWholeAfterwards('keyless', rows('keyless', { key: ['id'] }));
});

describe('rights', () => {
  test('no SELECT', async () => {
    await scene.table('secret');
    const ended = await scene.export('secret', asRole());
    expectError(ended, {
      exit: 3,
      code: 'SOURCE_GRANT',
      says: /secret/,
      hint: new RegExp(`GRANT SELECT ON public.secret TO ${role.name}$`, 'm'),
    });
    await scene.isUntouched('secret');
    await scene.db.query(`GRANT SELECT ON public.secret TO ${role.name}`);
    await scene.isWholeAfterwards('secret', asRole());
  });

  test('no USAGE on the schema', async () => {
    await scene.db.query('create schema closed');
    await scene.table('closed.vault');
    await scene.db.query(`grant select on closed.vault to ${role.name}`);
    const ended = await scene.export('closed.vault', { ...asRole(), ...rows('closed.vault', { as: 'vault' }) });
    expectError(ended, {
      exit: 3,
      code: 'SOURCE_GRANT',
      says: /schema closed/,
      hint: new RegExp(`GRANT USAGE ON SCHEMA closed TO ${role.name};`),
    });
    await scene.isUntouched('vault');
  });

  test('row security would hide rows: refused, not exported by half', async () => {
    await scene.table('private');
    await scene.db.query(`alter table private enable row level security`);
    await scene.db.query(`create policy few on private using (id < 10)`);
    await scene.db.query(`grant select on private to ${role.name}`);
    const ended = await scene.export('private', asRole());
    expectError(ended, {
      exit: 3,
      code: 'SOURCE_GRANT',
      says: /private/,
      hint: new RegExp(`ALTER ROLE ${role.name} BYPASSRLS$`, 'm'),
    });
    await scene.isUntouched('private');
  });

  test('grants on single columns do not do: the lock needs one on the table', async () => {
    await scene.table('partly');
    await scene.db.query('alter table partly add secret text');
    await scene.db.query(`grant select (id, updated_at) on partly to ${role.name}`);
    const ended = await scene.export('partly', asRole());
    expectError(ended, { exit: 3, code: 'SOURCE_GRANT', says: /partly/, hint: /GRANT SELECT/ });
    await scene.isUntouched('partly');
    await scene.db.query(`grant select on partly to ${role.name}`);
    await scene.isWholeAfterwards('partly', asRole());
  });
});

describe('what the configuration says of the table', () => {
  test.each([
    ['where: it is no SQL', { where: 'id <' }, /syntax error/],
    ['where: it has a column that there is not', { where: 'tenant = 1' }, /tenant/],
    ['start: it is no time', { start: 'soon' }, /soon/],
  ])('%s', async (name, settings, says) => {
    const table = `odd_${name.length}`;
    await scene.table(table);
    const ended = await scene.export(table, rows(table, settings));
    expectError(ended, { exit: 2, code: 'CONFIG_INVALID', says, hint: /where/ });
    await scene.isUntouched(table);
    await scene.isWholeAfterwards(table);
  });

  test.each([
    ['key', { key: ['nr'] }],
    ['cursor', { cursor: 'changed' }],
  ])('%s: there is no such column', async (name, settings) => {
    const table = `no_${name}`;
    await scene.table(table);
    const ended = await scene.export(table, rows(table, settings));
    expectError(ended, {
      exit: 2,
      code: 'COLUMN_UNKNOWN',
      says: new RegExp(`${name} column.*(nr|changed)`),
      hint: /id, updated_at/,
    });
    await scene.isUntouched(table);
  });
});

test('a value without a place in the lake: which one, in which row, and the ways out', async () => {
  await scene.table('price');
  await scene.db.query('alter table price add amount numeric(20,2)');
  await scene.db.query(`update price set amount = 'NaN' where id = 42`);
  const ended = await scene.export('price');
  expectError(ended, { exit: 1, code: 'VALUE_UNFIT', says: /NaN.*column amount.*id=42/, hint: /on_unfit: null.*text/ });
  await scene.isUntouched('price');
  await scene.isWholeAfterwards('price', rows('price', { columns: { amount: { on_unfit: 'text' } } }));
});

/** A slow query: it takes half a second for each row. */
const slow = { where: 'pg_sleep(0.5) is not null' };

test('a statement that takes longer than it may', async () => {
  await scene.table('slow');
  const config = { source: { url: variable('DATABASE_URL'), statement_timeout: '1s' }, ...rows('slow', slow) };
  const ended = await scene.export('slow', config);
  expectError(ended, { exit: 1, code: 'SOURCE_TIMEOUT', says: /statement_timeout/, hint: /statement_timeout/ });
  await scene.isUntouched('slow');
  await scene.isWholeAfterwards('slow');
});

describe('the connection is lost in the middle', () => {
  const copying = async () => {
    for (;;) {
      const found = await scene.db.query<{ pid: number }>(
        `select pid from pg_stat_activity where datname = current_database() and query like 'copy (%' and state = 'active'`,
      );
      if (found.length > 0) return found[0].pid;
      await sleep(20);
    }
  };

  test('the server ends it', async () => {
    await scene.table('ended');
    const running = await scene.start(['export', '--table', 'ended'], rows('ended', slow));
    const pid = await copying();
    await scene.db.query('select pg_terminate_backend($1)', [pid]);
    expectError(await running.ended, { exit: 1, code: 'SOURCE_LOST', says: /broke off/, hint: /nothing is lost/ });
    await scene.isUntouched('ended');
    await scene.isWholeAfterwards('ended');
  });

  test('the network cuts it, after many rows', async () => {
    await scene.table('cut', 400_000);
    await using proxy = await startTcpProxy(Number(new URL(scene.db.url).port));
    let received = 0;
    proxy.judgeAnswer = (answer) => {
      received += answer.length;
      return received > 5_000_000 ? 'cut' : 'pass';
    };
    const config = { source: { url: proxy.through(role.url) }, state: { url: variable('STATE_URL') } };
    await scene.db.query(`grant select on cut to ${role.name}`);
    expectError(await scene.export('cut', config), {
      exit: 1,
      code: 'SOURCE_LOST',
      says: /broke off/,
      hint: /nothing is lost/,
    });
    expect(received).toBeGreaterThan(5_000_000);
    await scene.isUntouched('cut');
    await scene.isWholeAfterwards('cut');
  });
});

test('a failing table does not stop the others', async () => {
  await scene.table('good');
  await scene.table('bad');
  const config = { tables: [{ table: 'bad', where: 'no_such_column' }, { table: 'good' }] };
  const { code, stdout } = await scene.run(['export', '--all', '--json'], config);
  expect(code).toBe(1);
  const states = JSON.parse(stdout).tables.map(
    (each: { table: string; state: string }) => `${each.table} ${each.state}`,
  );
  expect(states.sort()).toEqual(['public.bad failed', 'public.good committed']);
  await scene.isUntouched('bad');
});

test('somebody holds a lock on the table: given up after a while, so that nobody queues behind us', async () => {
  expectError(await locked, { exit: 1, code: 'SOURCE_TIMEOUT', says: /lock/, hint: /next run/ });
  await locker.query('rollback');
  await locker.end();
  await scene.isWholeAfterwards('locked');
});
