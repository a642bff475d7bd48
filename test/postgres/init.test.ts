import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseConfig } from '../../src/config/load-config.ts';
import { runCli, runHere } from '../support/cli.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(os.tmpdir(), 'tidemark-init-'));
  onTestFinished(() => rm(made, { recursive: true }));
  return made;
}

const SHOP = `create table invoice (id int primary key, updated_at timestamptz not null); create index on invoice (updated_at);
  create table customer (id int primary key, updated_at timestamptz);
  create table log (at timestamptz, what text);
  create schema app; create table app."Odd.Name" (id int primary key);
  create table secret (id int primary key)`;

async function shop(db: TestDatabase): Promise<{ url: string; name: string }> {
  await db.query(SHOP);
  const role = await db.role();
  await db.query(
    `grant usage on schema app to ${role.name}; grant select on invoice, customer, log, app."Odd.Name" to ${role.name}`,
  );
  return role;
}

test('writes what it found, valid as it stands, without the password', async () => {
  await using db = await createDatabase();
  const role = await shop(db);
  const cwd = await folder();
  const { code, stdout, stderr } = await runHere(['init', '--source', role.url, '--lake', 's3://bucket/shop'], { cwd });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain(`wrote tidemark.yaml for ${db.name}`);
  expect(stdout).toContain('tidemark doctor');
  expect(stdout).not.toContain('hushhush');
  const text = await readFile(path.join(cwd, 'tidemark.yaml'), 'utf8');
  expect(text).not.toContain('hushhush');
  expect(text).toContain('# no index: -- CREATE INDEX CONCURRENTLY ON public.customer (updated_at);');
  expect(text).toContain(`GRANT SELECT ON public.secret TO ${role.name};`);
  const config = parseConfig(text, { file: '/t.yaml', shown: 't', env: { DATABASE_URL: role.url } });
  expect(config).toMatchObject({ source: { url: role.url }, lake: { url: 's3://bucket/shop' } });
  expect(config.tables).toEqual([
    { table: 'customer' },
    { table: 'invoice' },
    { table: 'app."Odd.Name"', cursor: 'none' },
    { table: 'log', key: 'none', cursor: 'none' },
  ]);
});

test('--json says the same, and the database may come from the environment', async () => {
  await using db = await createDatabase();
  const role = await shop(db);
  const cwd = await folder();
  const { stdout } = await runHere(['init', '--json', '--config', 'here.yaml'], {
    cwd,
    env: { DATABASE_URL: role.url },
  });
  expect(JSON.parse(stdout)).toEqual({
    file: path.join(cwd, 'here.yaml'),
    tables: [
      { table: 'app."Odd.Name"', cursor: null, indexed: null, key: ['id'], estimated_rows: null, readable: true },
      {
        table: 'public.customer',
        cursor: 'updated_at',
        indexed: false,
        key: ['id'],
        estimated_rows: null,
        readable: true,
      },
      {
        table: 'public.invoice',
        cursor: 'updated_at',
        indexed: true,
        key: ['id'],
        estimated_rows: null,
        readable: true,
      },
      { table: 'public.log', cursor: null, indexed: null, key: [], estimated_rows: null, readable: true },
      { table: 'public.secret', cursor: null, indexed: null, key: ['id'], estimated_rows: null, readable: false },
    ],
  });
});

test('never overwrites, also not a file in the other place', async () => {
  const cwd = await folder();
  await writeFile(path.join(cwd, 'tidemark.yaml'), 'mine');
  const { code, stderr } = await runHere(['init', '--source', 'postgres://h/d'], { cwd });
  expect(code).toBe(2);
  expect(stderr).toMatch(/^CONFIG_EXISTS: there is a tidemark.yaml already\n/);
  expect(await readFile(path.join(cwd, 'tidemark.yaml'), 'utf8')).toBe('mine');
});

test('a database that is not there leaves no file', async () => {
  const cwd = await folder();
  const { code, stderr } = await runHere(['init', '--source', 'postgres://u:topsecret@127.0.0.1:1/d'], { cwd });
  expect({ code, files: await readdir(cwd) }).toEqual({ code: 3, files: [] });
  expect(stderr).toMatch(/^SOURCE_UNREACHABLE: connection refused/);
});

test('a password from .pgpass will do', async () => {
  await using db = await createDatabase();
  const role = await shop(db);
  const cwd = await folder();
  const { username, port, pathname } = new URL(role.url);
  await writeFile(path.join(cwd, 'pgpass'), `127.0.0.1:${port}:*:${username}:hushhush\n`, { mode: 0o600 });
  const url = `postgres://${username}@127.0.0.1:${port}${pathname}`;
  const { code, stderr } = await runCli(['init', '--source', url], {
    cwd,
    env: { PGPASSFILE: path.join(cwd, 'pgpass') },
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});
