/** `tidemark compact` as it is typed, on what `tidemark export` wrote. The rows themselves are looked at in test/compact. */

import { access, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExportScene, expectError, exportScene, type SceneConfig } from '../support/export-scene.ts';

let scene: ExportScene;

beforeAll(async () => {
  scene = await exportScene();
  for (const name of ['invoice', 'customer', 'log']) {
    await scene.table(name, 100);
    await scene.isWholeAfterwards(name);
  }
  await scene.table('never_exported', 1);
});

afterAll(() => scene[Symbol.asyncDispose]());

const NO_LOG: SceneConfig = { tables: [{ table: 'public.*' }, { table: 'log', skip: true }] };
const compact = async (args: string[], config: SceneConfig = NO_LOG) => {
  const { code, stdout, stderr } = await scene.run(['compact', ...args, '--json'], config);
  expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(stdout).tables;
};
const change = async (table: string, statement: string) => {
  await scene.db.query(statement);
  expect(await scene.export(table)).toMatchObject({ code: 0 });
};
const staged = (table: string) => path.join(scene.cwd, 'lake/staged', table);
const there = (folder: string) =>
  access(folder).then(
    () => true,
    () => false,
  );

test('a line a table that is not skipped; afterwards there is nothing new', async () => {
  const first = await scene.run(['compact', '--all'], NO_LOG);
  expect(first).toMatchObject({ code: 0 });
  expect(first.stdout.replaceAll(/\d+ B|\d+\.\d s/g, '#')).toBe(
    'public.customer  version 0  through run 2  +100 ~0 -0 rows  +1 -0 files  #  #\n' +
      'public.invoice   version 0  through run 1  +100 ~0 -0 rows  +1 -0 files  #  #\n',
  );
  const again = await scene.run(['compact', '--all'], NO_LOG);
  expect(again).toMatchObject({
    code: 0,
    stdout: 'public.customer  nothing new\npublic.invoice   nothing new\n',
    stderr: '',
  });
  expect(await there(staged('log'))).toBe(false);
});

test('--json has the counts of what changed', async () => {
  await change(
    'invoice',
    'insert into invoice select generate_series(101, 103); update invoice set updated_at = clock_timestamp() where id <= 5',
  );
  const [result] = await compact(['--table', 'invoice']);
  expect(result).toEqual({
    table: 'public.invoice',
    state: 'compacted',
    version: 1,
    through_run: 4,
    inserted: 3,
    updated: 5,
    deleted: 0,
    files_added: expect.any(Number),
    files_removed: 1,
    bytes_written: expect.any(Number),
    seconds: expect.any(Number),
  });
  expect(await compact(['--table', 'invoice,customer'])).toMatchObject([
    { table: 'public.invoice', state: 'nothing', version: 1, through_run: 4 },
    { table: 'public.customer', state: 'nothing', version: 0, through_run: 2 },
  ]);
});

test('several runs of changes come in one version', async () => {
  await change('customer', 'insert into customer select 101');
  await change('customer', 'insert into customer select 102');
  const [result] = await compact(['--table', 'customer']);
  expect(result).toMatchObject({ state: 'compacted', version: 1, inserted: 2 });
});

test('the source is not asked: only the state store and the lake are needed', async () => {
  await change('customer', 'update customer set updated_at = clock_timestamp() where id = 7');
  const config = { source: { url: 'postgres://nobody@127.0.0.1:1/nowhere' }, state: { url: scene.db.url } };
  expect(await compact(['--table', 'customer'], config)).toMatchObject([{ state: 'compacted', updated: 1 }]);
});

test('merge: vectors marks rows, merge: rewrite brings plain files back', async () => {
  const bins = async () => (await readdir(staged('customer'))).filter((name) => name.endsWith('.bin')).length;
  await change('customer', 'update customer set updated_at = clock_timestamp() where id = 8');
  const vectors = { tables: [{ table: 'customer', merge: 'vectors' }] };
  expect(await compact(['--table', 'customer'], vectors)).toMatchObject([{ updated: 1 }]);
  expect(await bins()).toBe(1);
  await change('customer', 'update customer set updated_at = clock_timestamp() where id = 9');
  expect(await compact(['--table', 'customer'])).toMatchObject([{ updated: 1 }]);
  const { stdout } = await scene.run(['history', '--table', 'customer', '--json', '--limit', '2']);
  expect(JSON.parse(stdout).tables[0].versions).toMatchObject([{ updated: 1 }, { updated: 1 }]);
  expect(await bins()).toBe(1);
});

test('--optimize, --rebuild, and --rebuild --as-of, which says where it went', async () => {
  const before = (await readdir(staged('invoice'))).length;
  expect(await compact(['--table', 'invoice', '--optimize'])).toMatchObject([{ inserted: 0, updated: 0 }]);
  const [rebuilt] = await compact(['--table', 'invoice', '--rebuild']);
  expect(rebuilt).toMatchObject({ state: 'compacted', through_run: 4 });
  expect((await readdir(staged('invoice'))).length).toBeGreaterThan(before);
  const [{ as_of: between }] = await scene.db.query<{ as_of: string }>(
    `select to_char(snapshot_at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US') as as_of from tidemark.run where run = 1`,
  );
  const [old] = await compact(['--table', 'invoice', '--rebuild', '--as-of', between]);
  expect(old).toMatchObject({
    state: 'compacted',
    through_run: 1,
    folder: expect.stringMatching(/^invoice_as_of_\d{8}T/),
  });
  expect(await there(path.join(staged(old.folder), '_delta_log/00000000000000000000.json'))).toBe(true);
  const text = await scene.run(['compact', '--table', 'invoice', '--rebuild', '--as-of', between]);
  expect(text.stdout).toContain(`  in staged/${old.folder}`);
  const early = await scene.run(['compact', '--table', 'invoice', '--rebuild', '--as-of', '2020-01-01']);
  expectError(early, { exit: 2, code: 'STAGED_MISSING', says: /nothing.*2020-01-01/, hint: /tidemark export/ });
});

test('a data file that somebody deleted: --rebuild mends it, an older version is gone', async () => {
  const run = (...args: string[]) => scene.run(args, NO_LOG);
  const [{ version }] = await compact(['--table', 'customer']);
  for (const name of await readdir(staged('customer'))) {
    if (name.endsWith('.parquet')) await rm(path.join(staged('customer'), name));
  }
  await change('customer', 'update customer set updated_at = clock_timestamp() where id = 1');
  const broken = { exit: 1, code: 'STAGED_BROKEN', says: /a file of the staged table is missing/, hint: /--rebuild/ };
  expectError(await run('compact', '--table', 'customer'), broken);
  expectError(await run('query', 'from customer'), broken);
  await compact(['--table', 'customer', '--rebuild']);
  expect(await run('query', 'from customer', '--format', 'csv')).toMatchObject({ code: 0 });
  const gone = { exit: 2, code: 'STAGED_VERSION', says: /a file of version \d+ is there no more/, hint: /vacuum/ };
  expectError(await run('query', 'from customer', '--at-version', String(version)), gone);
});

test('what was typed wrong', async () => {
  expectError(await scene.run(['compact', '--table', 'never_exported']), {
    exit: 2,
    code: 'TABLE_UNKNOWN',
    says: /no export has met a table never_exported/,
    hint: /tidemark export --table never_exported/,
  });
  expectError(await scene.run(['compact', '--table', 'invoce']), {
    exit: 2,
    code: 'TABLE_UNKNOWN',
    says: /invoce/,
    hint: /did you mean public\.invoice\?/,
  });
  const usage = async (args: string[], says: RegExp) =>
    expectError(await scene.run(['compact', ...args]), { exit: 2, code: 'USAGE', says, hint: /./ });
  await usage([], /which tables/);
  await usage(['--all', '--as-of', '2026-01-01'], /--as-of goes with --rebuild/);
  await usage(['--all', '--rebuild', '--as-of', 'yesterday'], /no instant/);
  await usage(['--all', '--rebuild', '--optimize'], /exclude each other/);
});

test('a table that another process holds is shown as held; 4 when all are', async () => {
  const hold = (holder: string | null) =>
    scene.db.query(
      `update tidemark.lease l set holder = $1, claim = gen_random_uuid(), token = 4711, acquired_at = now(), expires_at = now() + interval '1 hour'
       from tidemark.source_table t where t.id = l.table_id and folder = 'invoice' and kind = 'compact'`,
      [holder],
    );
  await change('invoice', 'update invoice set updated_at = clock_timestamp() where id = 1');
  await hold('elsewhere pid 1');
  const one = await scene.run(['compact', '--table', 'invoice']);
  expect(one).toMatchObject({ code: 4, stdout: 'public.invoice  held  by elsewhere pid 1\n' });
  const all = await scene.run(['compact', '--all', '--json'], NO_LOG);
  expect(all.code).toBe(0);
  expect(JSON.parse(all.stdout).tables).toMatchObject([
    { table: 'public.customer', state: 'nothing' },
    { table: 'public.invoice', state: 'held', holder: 'elsewhere pid 1', expires_at: expect.any(String) },
  ]);
  await scene.db.query(`update tidemark.lease set expires_at = now() where token = 4711`);
  expect(await compact(['--table', 'invoice'])).toMatchObject([{ state: 'compacted', updated: 1 }]);
});

test('a table that fails does not stop the others', async () => {
  await change('invoice', 'update invoice set updated_at = clock_timestamp() where id = 2');
  await change('customer', 'update customer set updated_at = clock_timestamp() where id = 2');
  const [{ key }] = await scene.db.query<{ key: string }>(
    `select key from tidemark.raw_file f join tidemark.run r using (run) join tidemark.source_table t on t.id = r.table_id
     where folder = 'customer' order by run desc limit 1`,
  );
  await rm(path.join(scene.cwd, 'lake', key));
  const { code, stdout } = await scene.run(['compact', '--all'], NO_LOG);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^public\.customer +failed +LAKE_NOT_FOUND\npublic\.invoice +version /);
  expect(stdout).toMatch(/\n\nLAKE_NOT_FOUND: .*customer/);
});

test('without a key only full runs are merged, which is said', async () => {
  await scene.table('line', 1);
  const config = { tables: [{ table: 'line', key: 'none' }] };
  const exported = () => scene.export('line', config);
  expect(await scene.run(['compact', '--all'], config)).toMatchObject({
    code: 0,
    stdout: 'no exported table: tidemark export --all comes first\n',
  });
  expect(await exported()).toMatchObject({ code: 0 });
  expect((await scene.run(['compact', '--all'], config)).stdout).toContain('+1 ~0 -0 rows');
  expect((await scene.run(['compact', '--all'], config)).stdout).toBe('public.line  nothing new\n');
  await scene.db.query('insert into line values (2)');
  expect(await exported()).toMatchObject({ code: 0 });
  const unmerged = 'public.line  nothing merged: without a key only full runs are\n';
  expect((await scene.run(['compact', '--all'], config)).stdout).toBe(unmerged);
  expect((await scene.run(['compact', '--table', 'line'], config)).stdout).toBe(unmerged);
});
