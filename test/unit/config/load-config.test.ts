// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own syntax.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig, parseConfig } from '../../../src/config/load-config.ts';
import { resolveTables } from '../../../src/config/resolve-tables.ts';
import type { TidemarkError } from '../../../src/model/error.ts';

const parse = (text: string, env: Record<string, string> = {}, secrets: string[] = []) =>
  parseConfig(text, { file: '/etc/tidemark/t.yaml', shown: 't.yaml', env, secrets });

function refused(text: string, env: Record<string, string> = {}): TidemarkError {
  try {
    parse(text, env);
  } catch (error) {
    return error as TidemarkError;
  }
  throw new Error('it was taken');
}

const SOURCE = 'source: { url: "postgres://h/d" }\nlake: file:./lake\n';

test('defaults', () => {
  expect(parse(SOURCE)).toEqual({
    file: '/etc/tidemark/t.yaml',
    baseDir: '/etc/tidemark',
    source: { url: 'postgres://h/d', primary: null, caFile: null, connections: 2, statementTimeoutMs: 1_800_000 },
    state: { url: 'postgres://h/d', caFile: null, schema: 'tidemark', isSource: true },
    lake: { url: 'file:./lake', baseDir: '/etc/tidemark', s3: undefined },
    spool: { path: expect.stringContaining(os.tmpdir()), limitBytes: 4 * 1024 ** 3 },
    memoryIsFixed: false,
    memoryBytes: 112 * 1024 ** 2,
    defaults: {
      lateMs: 3_600_000,
      marginMs: 10_000,
      fileBytes: 128 * 1024 ** 2,
      chunkBytes: 5 * 1024 ** 3,
      readers: 1,
      compression: 'zstd',
      leaseMs: 60_000,
      retentionMs: 7 * 86_400_000,
      merge: 'rewrite',
    },
    tables: [{ table: 'public.*' }],
    loads: [],
    status: { host: '127.0.0.1', port: 9393, token: null },
    schedule: {
      timezone: 'UTC',
      export: '*/5 * * * *',
      compact: '*/15 * * * *',
      compactAfter: { rows: 100_000, ms: null },
      load: '* * * * *',
      vacuum: '0 4 * * 0',
      reconcile: 'off',
    },
  });
});

test('who turns compactions off means those that follow exports too, unless he says when they do', () => {
  expect(parse(`${SOURCE}schedule: { compact: off }`).schedule.compactAfter).toEqual({ rows: null, ms: null });
  const both = parse(`${SOURCE}schedule: { compact: off, compact_after: { time: 1m } }`);
  expect(both.schedule).toMatchObject({ compact: 'off', compactAfter: { rows: null, ms: 60_000 } });
});

test('a table takes its schedule from every entry that says something of it, the strongest last', () => {
  const { tables, defaults } = parse(`${SOURCE}tables:
  - { table: "public.*", schedule: { export: "@every 30s", compact: off } }
  - { table: invoice, schedule: { compact: "@hourly", compact_after: { time: 0s } } }
  - { table: note, merge: vectors }
`);
  const known = ['invoice', 'note'].map((table) => ({ name: { schema: 'public', table }, columns: [] }));
  const [invoice, note] = resolveTables({ tables, defaults }, known);
  expect(invoice.schedule).toEqual({ export: '@every 30s', compact: '@hourly', compactAfter: { rows: null, ms: 0 } });
  expect(note.schedule).toEqual({ export: '@every 30s', compact: 'off' });
});

test('paths are relative to the file; the state shares the source’s authority where it shares its database', () => {
  const text =
    'source: { url: "postgres://h/d", tls: { ca: ./ca.pem } }\nlake: file:./lake\nspool: { path: ../spool }\n';
  expect(parse(text)).toMatchObject({
    source: { caFile: '/etc/tidemark/ca.pem' },
    state: { caFile: '/etc/tidemark/ca.pem' },
    spool: { path: '/etc/spool' },
  });
  expect(parse(`${text}state: { url: "postgres://other/d" }\n`)).toMatchObject({
    state: { caFile: null, isSource: false },
  });
});

test('the state logs in as the source does where it shares its database, a load as it says itself', () => {
  const source = 'source: { url: "postgres://h/d", auth: rds-iam }\nlake: file:./lake\ns3: { region: eu-west-1 }\n';
  const iam = { auth: 'rds-iam', awsRegion: 'eu-west-1' };
  expect(parse(source)).toMatchObject({ source: iam, state: iam });
  expect(parse(`${source}state: { url: "postgres://s/d" }`).state.auth).toBeUndefined();
  expect(parse(`${source}state: { url: "postgres://s/d", auth: rds-iam }`)).toMatchObject({ state: iam });
  const load = `into: t, target: "postgres://t/d", key: [id], columns: { id: { type: int } }`;
  const given = `${source}loads: [{ load: a, from: "file:./a/*", ${load}, auth: rds-iam, s3: { region: us-east-1 } }]`;
  expect(parse(given).loads[0].target).toMatchObject({ auth: 'rds-iam', awsRegion: 'us-east-1' });
  expect(refused(source.replace('rds-iam', 'iam')).message).toContain('must be password or rds-iam');
});

test('a value of the environment is taken as it is, whatever YAML would make of it', () => {
  const url = 'postgres://u:a: #b{}[]"\'%25@h/d';
  const text = 'source: { url: ${DATABASE_URL}, connections: ${N:-7} }\nlake: "file:./${FOLDER:-lake}/x"\n';
  const secrets: string[] = [];
  expect(parse(text, { DATABASE_URL: url }, secrets)).toMatchObject({
    source: { url, connections: 7 },
    lake: { url: 'file:./lake/x' },
  });
  expect(secrets).toContain('a: #b{}[]"\'%');
});

test('$${ is a plain ${, and an empty variable counts only where there is no default', () => {
  const where = (text: string, env: Record<string, string> = {}) =>
    parse(`${SOURCE}tables: [{ table: t, where: '${text}' }]`, env).tables[0].where;
  expect(where("a = ''$${X}''")).toBe("a = '${X}'");
  expect(where('x${X:-y}', { X: '' })).toBe('xy');
  expect(where('x${X}', { X: '' })).toBe('x');
});

test('unset variables are named with their places, all at once, also where this command would not need them', () => {
  const error = refused('source:\n  url: ${NOPE}\nlake: file:./lake\nstatus: { token: ${ALSO} }\n');
  expect(error).toMatchObject({
    code: 'ENV_MISSING',
    message: 'not set in the environment: NOPE (t.yaml:2:8), ALSO (t.yaml:4:18)',
  });
  expect(error.hint).toContain('${NOPE:-…}');
});

test.each([
  ['sorce: {}', '1:1: unknown key "sorce"; did you mean "source"?'],
  [`${SOURCE}tables:\n  - table: t\n    kee: [a]`, '5:5: unknown key "kee" in tables[0]; did you mean "key"?'],
  [`${SOURCE}defaults: { zzz: 1 }`, '3:13: unknown key "zzz" in defaults; known are late, margin,'],
  ['lake: file:./x', '1:1: source is missing'],
  [`${SOURCE}defaults: { file_size: 12 }`, '3:24: defaults.file_size must be a size such as 128MB'],
  [`${SOURCE}defaults: { file_size: 12 MiBs }`, '3:24: defaults.file_size is no size'],
  [`${SOURCE}defaults: { file_size: 1kB }`, 'must be at least 1MB'],
  [`${SOURCE}defaults: { late: soon }`, '3:19: defaults.late is no duration'],
  [`${SOURCE}defaults: { compression: snappy }`, 'must be zstd, gzip or none'],
  [`${SOURCE}tables: [{ table: 2024 }]`, '3:19: tables[0].table must be text, not a number; put it in quotes'],
  [`${SOURCE}tables: []\nschedule: { export: "61 * * * *" }`, '4:21: schedule.export is no schedule'],
  [`${SOURCE}schedule: { export: "@every soon" }`, 'is no schedule'],
  [`${SOURCE}schedule: { export: "@every 500ms" }`, '(a second at least)'],
  [`${SOURCE}schedule: { timezone: Mars/Olympus }`, 'is no time zone'],
  [`${SOURCE}tables:`, '3:8: tables must be a list, not empty'],
  [`${SOURCE}tables: [{ table: a.b.c }]`, '3:19: a table is written schema.table'],
  [`${SOURCE}tables: [{ table: "a.*", as: x }]`, '`as` names one folder'],
  [`${SOURCE}tables: [{ table: a, as: ../x }]`, 'must be made of letters'],
  [`${SOURCE}tables: [{ table: a, as: .. }]`, 'must be made of letters'],
  ['source: { url: "postgres://h/d", connections: 1 }\nlake: file:./x', '1:47: source.connections must be at least 2'],
  ['source: { url: "postgres://h/d" }\nlake: gs://bucket', "2:7: the lake's URL cannot be read"],
  ['source: { url: ${X\nlake: file:./x', '2:1'],
  ['source: { url: "${X" }\nlake: file:./x', '1:16: a "${" without a name'],
  ['a: 1\na: 2', '2:1: Map keys must be unique'],
  ['a: *nowhere', '1:'],
  ['', '1:1: source is missing'],
  ['just text', 'must be a mapping of keys, not text'],
])('%j is refused: %s', (text, message) => {
  const error = refused(text);
  expect(error.code).toBe('CONFIG_INVALID');
  expect(error.message).toContain(message);
  expect(error.message).toMatch(/^t\.yaml:\d+:\d+: /);
});

test('all that is wrong is said at once, from the top', () => {
  const { message } = refused(`${SOURCE}defaults: { late: x, margin: y }\ntables: [{ tabel: z }]\n`);
  expect([...message.matchAll(/t\.yaml:(\d+):/g)].map((m) => m[1])).toEqual(['3', '3', '4', '4']);
});

test('the password of a URL that cannot be read is in none of the words', () => {
  for (const url of [
    'postgres://u:topsecret@h:x/d',
    'mysql://u:topsecret@h/d',
    'postgres://u:topsecret@h/d?sslmode=maybe',
  ]) {
    const error = refused(`source:\n  url: ${url}\nlake: file:./x\n`);
    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/^t\.yaml:2:8: the source's URL cannot be read/),
    });
    expect(`${error.message} ${error.hint} ${error.stack}`).not.toContain('topsecret');
  }
});

test('an empty key list of accepted forms', () => {
  const [entry] = parse(
    `${SOURCE}tables: [{ table: a, key: id, columns: { c: { on_unfit: null } }, skip: "true" }]`,
  ).tables;
  expect(entry).toEqual({ table: 'a', key: ['id'], columns: { c: { on_unfit: 'null' } }, skip: true });
  expect(parse(`${SOURCE}tables: [{ table: a, key: none }]`).tables[0].key).toBe('none');
});

test('anchors and merge keys place errors in what they refer to', () => {
  const error = refused(`${SOURCE}tables:\n  - &a { table: t, late: x }\n  - *a\n`);
  expect(error.message).toContain('t.yaml:4:26: tables[0].late');
});

test('the file is looked for in two places; another one is named', async () => {
  const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-config-'));
  onTestFinished(() => rm(cwd, { recursive: true }));
  const load = (configFile?: string) => loadConfig({ cwd, configFile, env: {}, secrets: [] });
  await expect(load()).rejects.toMatchObject({
    code: 'CONFIG_NOT_FOUND',
    hint: expect.stringContaining('tidemark init'),
  });
  await mkdir(path.join(cwd, 'config'));
  await writeFile(path.join(cwd, 'config/tidemark.yaml'), SOURCE);
  expect((await load()).file).toBe(path.join(cwd, 'config/tidemark.yaml'));
  await writeFile(path.join(cwd, 'tidemark.yaml'), SOURCE);
  expect((await load()).file).toBe(path.join(cwd, 'tidemark.yaml'));
  await expect(load('other.yaml')).rejects.toMatchObject({
    code: 'CONFIG_NOT_FOUND',
    message: 'there is no other.yaml',
  });
  await expect(load('config')).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: 'config cannot be read (EISDIR)',
  });
});
