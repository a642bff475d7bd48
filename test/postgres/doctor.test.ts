import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { checkSource } from '../../src/cli/doctor-source.ts';
import { connect, disconnect } from '../../src/postgres/connect.ts';
import { runHere } from '../support/cli.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';

type Check = { check: string; state: string; found: string; remedy: string | null; table?: string };

async function configured(text: string): Promise<string> {
  const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-doctor-'));
  onTestFinished(() => rm(cwd, { recursive: true }));
  await writeFile(path.join(cwd, 'tidemark.yaml'), text);
  return cwd;
}

const BASIC = `source: { url: "\${DATABASE_URL}" }\nlake: file:./lake\n`;

async function doctor(url: string, text = BASIC): Promise<{ code: number | null; checks: Check[]; cwd: string }> {
  const cwd = await configured(text);
  const { code, stdout } = await runHere(['doctor', '--json'], { cwd, env: { DATABASE_URL: url } });
  return { code, checks: JSON.parse(stdout).checks, cwd };
}

/** Check, table and state of what is not well. */
const unwell = (checks: Check[]) =>
  checks.filter(({ state }) => state !== 'ok').map(({ check, table, state }) => [check, table, state]);
const remedyOf = (checks: Check[], check: string) =>
  checks.find((each) => each.check === check && each.state !== 'ok')?.remedy;

async function shop(db: TestDatabase): Promise<{ name: string; url: string }> {
  await db.query(
    'create table invoice (id int primary key, updated_at timestamptz not null default now()); create index on invoice (updated_at)',
  );
  const role = await db.role();
  await db.query(`grant select on invoice to ${role.name}; grant pg_read_all_stats to ${role.name};
    create schema tidemark authorization ${role.name}`);
  return role;
}

test('all well: exit code 0, each check once, and nothing is left anywhere', async () => {
  await using db = await createDatabase();
  const role = await shop(db);
  const { code, checks, cwd } = await doctor(role.url);
  expect(unwell(checks)).toEqual([]);
  expect(code).toBe(0);
  expect(checks.map(({ check }) => check)).toEqual([
    'file',
    'connection',
    'version',
    'primary',
    'history',
    'activity',
    'track_activities',
    'transactions',
    'clock',
    'grant',
    'key',
    'cursor',
    'cursor values',
    'index',
    'null cursors',
    'state store',
    'writable',
    'put-if-absent',
    'room',
    'spool',
  ]);
  expect(await readdir(cwd)).toEqual(['tidemark.yaml']);
  expect(await db.query(`select from pg_class where relnamespace = 'tidemark'::regnamespace`)).toEqual([]);
});

test('the table for people is grouped, and ends with a sentence', async () => {
  await using db = await createDatabase();
  const role = await shop(db);
  const cwd = await configured(BASIC);
  const { code, stdout } = await runHere(['doctor'], { cwd, env: { DATABASE_URL: role.url } });
  expect(code).toBe(0);
  expect([...stdout.matchAll(/^\S.*$/gm)].map(String)).toEqual([
    'configuration',
    'source',
    'tables',
    'state',
    'lake',
    'machine',
    'all well',
  ]);
  expect(stdout).not.toContain('\x1b[');
});

test('each remedy mends what it was given for', async () => {
  await using db = await createDatabase();
  await db.query(
    `create schema app; create table app."T" (id int primary key, updated_at timestamptz not null default now())`,
  );
  const role = await db.role();
  const before = await doctor(role.url);
  expect(before.code).toBe(3);
  const text = `${BASIC}tables: [{ table: app.* }]\n`;
  const { code, checks } = await doctor(role.url, text);
  expect(code).toBe(3);
  expect(unwell(checks)).toEqual([
    ['activity', undefined, 'warn'],
    ['grant', 'app."T"', 'fail'],
    ['index', 'app."T"', 'warn'],
    ['state store', undefined, 'fail'],
  ]);
  for (const check of ['activity', 'grant', 'index', 'state store']) {
    for (const statement of remedyOf(checks, check)!.split(', or ')[0].split('; ')) await db.query(statement);
  }
  const after = await doctor(role.url, text);
  expect(unwell(after.checks)).toEqual([]);
});

test('tables: no key, a cursor of the wrong type or not there, without zone, with NULLs; row security', async () => {
  await using db = await createDatabase();
  await db.query(`create table keyless (updated_at timestamptz not null default now()); create index on keyless (updated_at);
    create table texty (id int primary key, at text);
    create table zoneless (id int primary key, updated_at timestamp not null default now()); create index on zoneless (updated_at);
    create table nulls (id int primary key, updated_at timestamptz default now()); create index on nulls (updated_at);
    insert into nulls select g, case when g % 4 > 0 then now() end from generate_series(1, 400) g; analyze nulls;
    create table ruled (id int primary key); alter table ruled enable row level security`);
  const role = await db.role();
  await db.query(
    `grant select on all tables in schema public to ${role.name}; grant pg_read_all_stats to ${role.name}; create schema tidemark authorization ${role.name}`,
  );
  const { checks } = await doctor(
    role.url,
    `${BASIC}tables: [{ table: "*" }, { table: texty, cursor: at }, { table: ruled, cursor: nope, key: [no] }]\n`,
  );
  expect(unwell(checks)).toEqual([
    ['grant', 'public.ruled', 'fail'],
    ['key', 'public.keyless', 'fail'],
    ['key', 'public.ruled', 'fail'],
    ['cursor', 'public.ruled', 'fail'],
    ['cursor', 'public.texty', 'fail'],
    ['cursor', 'public.zoneless', 'warn'],
    ['null cursors', 'public.nulls', 'warn'],
  ]);
  expect(checks.find(({ check, state }) => check === 'null cursors' && state === 'warn')?.found).toContain(
    'about 100 rows',
  );
});

test('transactions that have been open for long are shown, with how to end them', async () => {
  await using db = await createDatabase();
  const open = await connect(
    { role: 'source', url: db.url, env: {}, applicationName: 'report' },
    new AbortController().signal,
  );
  await open.query('begin; select 1');
  const { rows } = await open.query('select pg_backend_pid() as pid');
  await db.query(`begin; create table t (id int); prepare transaction 'it''s mine'`);
  const shown = async (longSeconds: number) => {
    await db.query('begin read only');
    const checks = await checkSource(db.client, true, () => Date.now() / 1000, longSeconds);
    await db.query('rollback');
    return checks
      .filter(({ check }) => check === 'transactions')
      .map(({ state, found, remedy }) => [
        state,
        remedy?.split(',')[0],
        /(at it|writing|open) for \S+ s, since 20/.exec(found)?.[1],
      ]);
  };
  expect(await shown(3600)).toEqual([['ok', undefined, undefined]]);
  expect(await shown(0)).toEqual([
    ['warn', `SELECT pg_terminate_backend(${rows[0].pid})`, 'at it'],
    ['warn', `ROLLBACK PREPARED 'it''s mine'`, 'open'],
  ]);
  await open.query('create temporary table mine (id int)');
  expect((await shown(0))[0][2]).toBe('writing');
  await db.query(`rollback prepared 'it''s mine'`);
  await disconnect(open);
});

test('cursors whose values cannot be trusted, and tables without transaction ids', async () => {
  await using db = await createDatabase();
  await db.query(`create table by_app (id int primary key, updated_at timestamptz not null); create index on by_app (updated_at);
    create table log (id bigint generated always as identity primary key);
    create table cached (id int primary key, rev bigint default 0); create sequence s cache 50;
    alter table cached alter rev set default nextval('s'); create index on cached (rev);
    create table counter (id int primary key, version int not null default 1);
    create function other_handler(internal) returns table_am_handler language internal as 'heap_tableam_handler';
    create access method am_${db.name} type table handler other_handler;
    create table odd (id int primary key) using am_${db.name}; create view v as select 1`);
  const text = (tables: string) => `${BASIC}tables: [{ table: public.* }, ${tables}]\n`;
  const { checks } = await doctor(
    db.url,
    text('{ table: log, cursor: id }, { table: cached, cursor: rev }, { table: counter, cursor: version }'),
  );
  expect(unwell(checks)).toEqual([
    ['kind', 'public.odd', 'fail'],
    ['cursor', 'public.cached', 'fail'],
    ['cursor', 'public.counter', 'fail'],
    ['cursor values', 'public.by_app', 'warn'],
    ['cursor values', 'public.log', 'warn'],
  ]);
  expect((await doctor(db.url, text('{ table: v }'))).checks.find(({ check }) => check === 'tables')?.found).toMatch(
    /^RELATION_KIND: public.v is a view/,
  );
});

test('a table that is not there, and two with one folder, fail with their hints', async () => {
  await using db = await createDatabase();
  const role = await shop(db);
  const { code, checks } = await doctor(role.url, `${BASIC}tables: [{ table: invioce }]\n`);
  expect(code).toBe(3);
  expect(remedyOf(checks, 'tables')).toBe('did you mean public.invoice?');
  await db.query('create table "Invoice" (id int)');
  expect((await doctor(role.url)).checks.find(({ check }) => check === 'tables')?.found).toMatch(/^FOLDER_CLASH: /);
});

test('without the source the lake is still looked at; without a configuration nothing is', async () => {
  const { code, checks } = await doctor('postgres://u:topsecret@127.0.0.1:1/d');
  expect(code).toBe(3);
  expect(unwell(checks)).toEqual([
    ['connection', undefined, 'fail'],
    ['state store', undefined, 'fail'],
  ]);
  expect(checks.map(({ check }) => check)).toContain('put-if-absent');
  const cwd = await configured('lake: file:./lake');
  const ended = await runHere(['doctor', '--json'], { cwd });
  expect({ code: ended.code, error: JSON.parse(ended.stdout).error.code }).toEqual({
    code: 2,
    error: 'CONFIG_INVALID',
  });
});

test('a state store that is there is up to date, also for the role that made it', async () => {
  await using db = await createDatabase();
  const role = await shop(db);
  const cwd = await configured(BASIC);
  expect((await runHere(['migrate'], { cwd, env: { DATABASE_URL: role.url } })).code).toBe(0);
  const { checks } = await doctor(role.url);
  expect(checks.find(({ check }) => check === 'state store')).toMatchObject({
    state: 'ok',
    found: expect.stringContaining('up to date'),
  });
});

test('a lake that cannot be written', async () => {
  await using db = await createDatabase();
  const role = await shop(db);
  const { code, checks } = await doctor(role.url, BASIC.replace('./lake', './tidemark.yaml/lake'));
  expect(code).toBe(3);
  expect(unwell(checks)).toEqual([['writable', undefined, 'fail']]);
});

test('a server that does not tell its history: an export works, and doctor says what is not noticed', async () => {
  await using db = await createDatabase();
  const role = await shop(db);
  // As managed servers have it; in this database alone.
  await db.query(`revoke execute on function pg_control_system() from public;
    revoke execute on function pg_walfile_name(pg_lsn) from public`);
  const { code, checks, cwd } = await doctor(role.url);
  expect([code, unwell(checks)]).toEqual([0, [['history', undefined, 'warn']]]);
  expect(checks.find(({ check }) => check === 'history')?.found).toContain('its system, timeline:');
  for (let i = 0; i < 2; i++) {
    await db.query('insert into invoice values ($1)', [i]);
    const { stdout } = await runHere(['export', '--all', '--json'], { cwd, env: { DATABASE_URL: role.url } });
    expect(JSON.parse(stdout).tables).toEqual([expect.objectContaining({ state: 'committed', rows: 1 })]);
    expect(stdout).not.toContain('history');
  }
  const [{ history }] = await db.query("select mark->'history' as history from tidemark.source_table");
  expect(history).toEqual({ system: null, timeline: null, lsn: expect.any(String), xmax: expect.any(String) });
});
