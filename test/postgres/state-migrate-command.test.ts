import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { migratedText, runMigrate } from '../../src/cli/migrate.ts';
import { createOutput } from '../../src/cli/output.ts';
import { MIGRATIONS, VERSION } from '../../src/state/migrations.ts';
import { createDatabase } from '../support/postgres.ts';
import { never, silent } from '../support/state.ts';

const ALL = MIGRATIONS.map(({ name }) => name);

/** What `tidemark migrate` writes to stdout, with this state schema. */
async function migrate(url: string, schema: string, json: boolean): Promise<string> {
  const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-migrate-'));
  await writeFile(
    path.join(cwd, 'tidemark.yaml'),
    `source: { url: '\${DATABASE_URL}' }\nlake: file:./lake\nstate: { schema: '${schema}' }\n`,
  );
  const stdout = new PassThrough();
  const code = await runMigrate(
    {},
    {
      configFile: undefined,
      cwd,
      env: { DATABASE_URL: url },
      json,
      quiet: false,
      log: silent,
      out: createOutput(stdout, { json, colors: false }),
      stdin: async () => '',
      screen: null,
      secrets: [],
      signal: never,
    },
  ).finally(() => rm(cwd, { recursive: true }));
  expect(code).toBe(0);
  stdout.end();
  return text(stdout);
}

test('tidemark migrate says what it did', async () => {
  await using db = await createDatabase();
  expect(await migrate(db.url, 'Tide Mark', false)).toBe(
    `created the state store in schema "Tide Mark", version ${VERSION} (${ALL.join(', ')})\n`,
  );
  expect(await migrate(db.url, 'Tide Mark', false)).toBe(
    `the state store in schema "Tide Mark" is up to date (version ${VERSION})\n`,
  );
});

test('and with --json', async () => {
  await using db = await createDatabase();
  expect(JSON.parse(await migrate(db.url, 'tidemark', true))).toEqual({
    schema: 'tidemark',
    from: 0,
    to: VERSION,
    applied: ALL,
  });
});

test('an upgrade names both versions', () => {
  expect(migratedText({ schema: 's', from: 1, to: 3, applied: ['0002-b', '0003-c'] })).toBe(
    'upgraded the state store in schema "s" from version 1 to 3 (0002-b, 0003-c)',
  );
});
