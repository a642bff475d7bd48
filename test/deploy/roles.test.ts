/** deploy/sql on a real server: with exactly these grants every command works, and without one of them the error says which. */

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ended, runHere } from '../support/cli.ts';
import { type PostgresServer, ROOT, startPostgres } from '../support/postgres-server.ts';

// Roles belong to the whole server, and the files name them: a server of its own.
let server: PostgresServer;
let cwd: string;

beforeAll(async () => {
  server = await startPostgres();
  cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-roles-'));
  await mkdir(path.join(cwd, 'drops'));
  await writeFile(path.join(cwd, 'drops/one.jsonl'), '{"id": 1, "kind": "click"}\n');
  await writeFile(path.join(cwd, 'tidemark.yaml'), CONFIG);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(cwd, { recursive: true, force: true });
});

const CONFIG = `source: { url: "\${SOURCE_URL}" }
lake: file:./lake
loads:
  - load: events
    from: file:./drops/*.jsonl
    into: public.events
    target: \${TARGET_URL}
    key: [id]
    columns: { id: { type: bigint }, kind: { type: text } }
    on_conflict: update
`;

const sql = (name: string) => readFile(path.join(ROOT, 'deploy/sql', name), 'utf8');

const urlOf = (user: string, database: string, password = 'change me') =>
  Object.assign(new URL(server.url(database)), { username: user, password }).href;

async function asSuperuser(database: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: server.url(database) });
  await client.connect();
  await client.query(text).finally(() => client.end());
}

/** `shop` as a careful administrator has it: nothing is open to everybody. */
async function makeShop(): Promise<void> {
  await asSuperuser('postgres', 'drop database if exists shop with (force)');
  await asSuperuser('postgres', 'drop role if exists app, tidemark, loader');
  await asSuperuser('postgres', 'create database shop');
  await asSuperuser(
    'shop',
    `revoke all on database shop from public; revoke all on schema public from public;
     create role app; grant usage, create on schema public to app;
     set role app;
     create table invoice (id int primary key, updated_at timestamptz not null default now());
     create index on invoice (updated_at);
     insert into invoice select generate_series(1, 10);
     create table events (id bigint primary key, kind text)`,
  );
}

const run = (...args: string[]): Promise<Ended> =>
  runHere(args, { cwd, env: { SOURCE_URL: urlOf('tidemark', 'shop'), TARGET_URL: urlOf('loader', 'shop') } });

async function codeOf(...args: string[]): Promise<number | null> {
  const { code, stderr } = await run(...args);
  if (code !== 0) console.log(args.join(' '), stderr);
  return code;
}

describe('on the source', () => {
  beforeAll(async () => {
    await makeShop();
    await asSuperuser('shop', await sql('source-role.sql'));
    await asSuperuser('shop', await sql('state-role.sql'));
    await asSuperuser('shop', 'create role loader login');
  });

  test('migrate, doctor, export, status and compact work; nothing is warned of', async () => {
    expect(await codeOf('migrate')).toBe(0);
    const { checks } = JSON.parse((await run('doctor', '--json')).stdout) as {
      checks: { group: string; check: string; state: string }[];
    };
    const grants = ['connection', 'activity', 'grant', 'state store'];
    expect(checks.filter(({ check, state }) => grants.includes(check) && state !== 'ok')).toEqual([]);
    expect(checks.map(({ check }) => check)).toEqual(expect.arrayContaining(grants.slice(0, 3)));
    expect(await codeOf('export', '--all')).toBe(0);
    expect(await codeOf('compact', '--all')).toBe(0);
    expect(await codeOf('status')).toBe(0);
  });

  test('a table that the application makes later is exported without a further grant', async () => {
    await asSuperuser(
      'shop',
      'set role app; create table payment (id int primary key); insert into payment values (1)',
    );
    const { stdout } = await run('export', '--table', 'payment', '--json');
    expect(JSON.parse(stdout).tables).toMatchObject([{ state: 'committed', rows: 1 }]);
  });

  test('it can read, and no more', async () => {
    const client = new pg.Client({ connectionString: urlOf('tidemark', 'shop') });
    await client.connect();
    try {
      for (const text of [
        'delete from invoice',
        'create table public.x ()',
        'create schema x',
        'create temp table x ()',
      ])
        await expect(client.query(text), text).rejects.toMatchObject({ code: '42501' });
    } finally {
      await client.end();
    }
  });

  test.each([
    ['revoke connect on database shop from tidemark', 'GRANT CONNECT ON DATABASE', 3],
    ['revoke usage on schema public from tidemark', 'GRANT USAGE ON SCHEMA public', null],
    ['revoke select on invoice from tidemark', 'GRANT SELECT ON public.invoice', null],
  ])('%s: the error has %s', async (revoke, grant, code) => {
    await asSuperuser('shop', revoke);
    const ended = await run('export', '--table', 'invoice');
    expect(ended.stderr + ended.stdout).toContain(grant);
    expect([1, 3]).toContain(ended.code);
    if (code) expect(ended.code).toBe(code);
    await asSuperuser('shop', revoke.replace('revoke', 'grant').replace(' from ', ' to '));
    expect(await codeOf('export', '--table', 'invoice')).toBe(0);
  });

  test('without pg_read_all_stats doctor warns, and says what to grant', async () => {
    await asSuperuser('shop', 'revoke pg_read_all_stats from tidemark');
    const { stdout } = await run('doctor');
    expect(stdout).toContain('GRANT pg_read_all_stats TO tidemark');
    await asSuperuser('shop', 'grant pg_read_all_stats to tidemark');
  });

  test('without its schema the state store is not made, and the hint has the statement', async () => {
    await asSuperuser('shop', 'drop schema tidemark cascade');
    const { code, stderr } = await run('migrate');
    expect(code).toBe(3);
    expect(stderr).toContain('CREATE SCHEMA "tidemark" AUTHORIZATION "tidemark"');
    await asSuperuser('shop', await sql('state-role.sql'));
    expect(await codeOf('migrate')).toBe(0);
  });
});

describe('on the target of a load', () => {
  beforeAll(async () => {
    await makeShop();
    await asSuperuser('shop', 'create role tidemark login');
    await asSuperuser('shop', await sql('loader-role.sql'));
  });

  test('a load works', async () => {
    expect(await codeOf('load')).toBe(0);
    await writeFile(path.join(cwd, 'drops/two.jsonl'), '{"id": 1, "kind": "view"}\n{"id": 2, "kind": "click"}\n');
    const { stdout } = await run('load', '--json');
    expect(JSON.parse(stdout).loads).toMatchObject([{ state: 'loaded', rows_out: 2 }]);
  });

  let drops = 0;
  test.each([
    ['revoke connect on database shop from loader', 'GRANT CONNECT ON DATABASE'],
    ['revoke temporary on database shop from loader', 'GRANT TEMPORARY ON DATABASE'],
    ['revoke usage on schema public from loader', 'GRANT USAGE ON SCHEMA "public"'],
    ['revoke select on public.events from loader', 'GRANT SELECT, INSERT, UPDATE ON public.events'],
    ['revoke insert on public.events from loader', 'GRANT SELECT, INSERT, UPDATE ON public.events'],
    ['revoke update on public.events from loader', 'GRANT SELECT, INSERT, UPDATE ON public.events'],
  ])('%s: the error has %s', async (revoke, grant) => {
    await writeFile(path.join(cwd, `drops/more${drops++}.jsonl`), '{"id": 3, "kind": "click"}\n');
    await asSuperuser('shop', revoke);
    const ended = await run('load');
    expect(ended.stderr + ended.stdout).toContain(grant);
    expect(ended.code).not.toBe(0);
    await asSuperuser('shop', revoke.replace('revoke', 'grant').replace(' from ', ' to '));
    expect(await codeOf('load')).toBe(0);
  });

  test('without its schema the ledger is not made, and the hint has the statement', async () => {
    await asSuperuser('shop', 'drop schema tidemark cascade');
    const { code, stdout, stderr } = await run('load');
    expect(code).not.toBe(0);
    expect(stderr + stdout).toContain('CREATE SCHEMA "tidemark" AUTHORIZATION "loader"');
  });
});
