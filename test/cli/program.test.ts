import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli, startCli } from '../support/cli.ts';

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-cli-'));
});
afterAll(() => rm(cwd, { recursive: true }));

const run = (...args: string[]) => runCli(args, { cwd });

test('help lists the commands that there are, and nothing else', async () => {
  const { code, stdout, stderr } = await run('--help');
  const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map((m) => m[1]);
  expect({ code, stderr, commands }).toEqual({
    code: 0,
    stderr: '',
    commands: [
      'init',
      'doctor',
      'migrate',
      'export',
      'compact',
      'reconcile',
      'history',
      'vacuum',
      'load',
      'daemon',
      'status',
      'pause',
      'resume',
      'lease',
      'query',
      'schema',
    ],
  });
  expect((await run('export', '--help')).stdout).toContain('--dry-run');
  expect((await run('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

describe('wrong usage ends with 2, a code and a hint, and touches nothing', () => {
  test.each([
    [[], 'USAGE: which command?'],
    [['exprot', '--all'], "USAGE: unknown command 'exprot'\nhint: did you mean export?"],
    [['export', '--tabel', 'x'], "USAGE: unknown option '--tabel'\nhint: did you mean --table?"],
    [['export'], 'USAGE: which tables?'],
    [['export', '--all', '--table', 'x'], 'USAGE: --table and --all exclude each other'],
    [['export', '--table'], "USAGE: option '--table <name>' argument missing"],
    [['doctor', 'please'], "USAGE: too many arguments for 'doctor'"],
    [['status', '--log-level', 'loud'], "USAGE: option '--log-level <level>' argument 'loud' is invalid"],
    [['init'], 'USAGE: which database?'],
    [['init', '--source', 'postgres://h/d', '--lake', 'gs://x'], "CONFIG_INVALID: the lake's URL cannot be read"],
    [['export', '--all'], 'CONFIG_NOT_FOUND: there is no tidemark.yaml'],
    [['doctor', '--config', 'no.yaml'], 'CONFIG_NOT_FOUND: there is no no.yaml'],
  ])('%j: %s', async (args, expected) => {
    const { code, stdout, stderr } = await run(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(expected);
    expect(stderr).toMatch(/^[A-Z_]+: .*\nhint: .*\ndocs: docs\/errors\.md#[a-z_]+\n$/);
  });
});

test('with --json an error is one document on stdout', async () => {
  const { code, stdout, stderr } = await run('export', '--json');
  expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({
    error: {
      code: 'USAGE',
      message: 'which tables?',
      hint: expect.any(String),
      table: null,
      column: null,
      key: null,
      docs: 'docs/errors.md#usage',
    },
  });
});

test('a password is in no output, whatever is wrong with its URL', async () => {
  const urls = [
    'postgres://u:topsecret@127.0.0.1:1/d',
    'postgres://u:topsecret@h:x/d',
    'postgres://u:top/topsecret@h/d',
    'mysql://u:topsecret@h/d',
    'postgres://u:topsecret@no-such-host.invalid/d',
  ];
  for (const [i, url] of urls.entries()) {
    await writeFile(path.join(cwd, `${i}.yaml`), `source:\n  url: \${SECRET_URL}\nlake: file:./lake\n`);
    const results = await Promise.all([
      runCli(['export', '--all', '--config', `${i}.yaml`, '--log-level', 'trace'], { cwd, env: { SECRET_URL: url } }),
      runCli(['doctor', '--json', '--config', `${i}.yaml`], { cwd, env: { SECRET_URL: url } }),
      runCli(['init', '--source', url, '--config', 'new.yaml', '--log-level', 'trace'], { cwd }),
    ]);
    for (const { code, stdout, stderr } of results) {
      expect(code).toBeGreaterThanOrEqual(2);
      expect(stdout + stderr).not.toContain('topsecret');
    }
  }
});

test('schema prints JSON', async () => {
  const { code, stdout } = await run('schema');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    type: 'object',
    required: ['source', 'lake'],
    additionalProperties: false,
  });
});

describe('signals', () => {
  /** A server that takes connections and says nothing: the command hangs in connecting. */
  async function hanging(): Promise<{ url: string; connected: Promise<unknown>; close(): void }> {
    const server = net.createServer(() => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `postgres://u@127.0.0.1:${(server.address() as net.AddressInfo).port}/d?connect_timeout=100`;
    return { url, connected: once(server, 'connection'), close: () => server.close() };
  }

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s while it waits for the database ends it cleanly with %d', async (signal, expected) => {
    const server = await hanging();
    const cli = startCli(['init', '--source', server.url, '--config', `${signal}.yaml`], { cwd });
    await server.connected;
    cli.kill(signal);
    const { code, stderr } = await cli.ended;
    expect({ code, stderr }).toEqual({ code: expected, stderr: `${signal}: stopping; once more to stop at once\n` });
    server.close();
  });

  test('a second signal ends what does not end by itself, at once', async () => {
    // Opening the state store does not heed the first one: a lease may have to be given back.
    const server = await hanging();
    await writeFile(
      path.join(cwd, 'stuck.yaml'),
      `source: { url: "postgres://u@127.0.0.1:1/d" }\nstate: { url: "${server.url}" }\nlake: file:./lake\n`,
    );
    const cli = startCli(['migrate', '--config', 'stuck.yaml'], { cwd });
    await server.connected;
    cli.kill('SIGINT');
    await cli.stderrHas('SIGINT: stopping');
    cli.kill('SIGINT');
    const { code, stderr } = await cli.ended;
    expect({ code, last: stderr.trim().split('\n').at(-1) }).toEqual({
      code: 130,
      last: 'SIGINT again: stopped at once',
    });
    server.close();
  });
});
