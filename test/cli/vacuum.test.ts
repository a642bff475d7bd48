/** `tidemark vacuum` as it is typed. */

import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ExportScene, expectError, exportScene } from '../support/export-scene.ts';
import { addOldRuns } from '../support/old-runs.ts';
import { type StagedTable, stagedTable } from '../support/staged-table.ts';

const DAY = 86_400_000;
const ago = (days: number) => Date.now() - days * DAY;

let scene: ExportScene;
let invoice: StagedTable;

beforeAll(async () => {
  scene = await exportScene();
  for (const name of ['invoice', 'customer', 'never_staged']) {
    await scene.table(name, 3);
    await scene.isWholeAfterwards(name);
  }
  await scene.table('never_exported', 3);
  const customer = await stagedTable(scene.cwd, 'customer');
  await customer.write({ at: ago(20), add: ['live.parquet'] });
  invoice = await stagedTable(scene.cwd, 'invoice');
  await invoice.write({ at: ago(20), add: ['old.parquet', 'recent.parquet'] });
  await invoice.write({ at: ago(10), add: ['live.parquet'], remove: ['old.parquet'] });
  await invoice.write({ at: ago(2), remove: ['recent.parquet'] });
  await invoice.orphan('orphan.parquet', ago(9));
  await invoice.orphan('young.parquet', ago(0.1));
});

afterAll(() => scene[Symbol.asyncDispose]());

const data = async () => (await readdir(invoice.folder)).filter((name) => !name.startsWith('_')).sort();

test('--dry-run lists what would go, and deletes nothing', async () => {
  const before = await data();
  const text = await scene.run(['vacuum', '--table', 'invoice', '--dry-run']);
  expect(text).toMatchObject({ code: 0, stderr: '' });
  expect(text.stdout).toBe('public.invoice  2 files would go  10 B  3 kept\n  old.parquet\n  orphan.parquet\n');
  const { stdout } = await scene.run(['vacuum', '--all', '--dry-run', '--json']);
  expect(JSON.parse(stdout)).toEqual({
    tables: [
      {
        table: 'public.customer',
        state: 'vacuumed',
        files: 0,
        bytes: 0,
        kept: 1,
        archived_runs: 0,
        dry_run: true,
        paths: [],
      },
      {
        table: 'public.invoice',
        state: 'vacuumed',
        files: 2,
        bytes: 10,
        kept: 3,
        archived_runs: 0,
        dry_run: true,
        paths: ['old.parquet', 'orphan.parquet'],
      },
    ],
  });
  expect(await data()).toEqual(before);
});

test('the retention is that of the configuration, or of --retention', async () => {
  const all = ['vacuum', '--table', 'invoice', '--dry-run', '--json'];
  const paths = async (more: string[], retention?: string) => {
    const { stdout } = await scene.run([...all, ...more], retention ? { defaults: { retention } } : {});
    return JSON.parse(stdout).tables[0].paths;
  };
  expect(await paths([], '30d')).toEqual([]);
  expect(await paths(['--retention', '1d'], '30d')).toEqual(['old.parquet', 'orphan.parquet', 'recent.parquet']);
  const short = await scene.run(['vacuum', '--all', '--retention', '59m']);
  expectError(short, { exit: 2, code: 'USAGE', says: /less than an hour/, hint: /1h is the least/ });
  const odd = await scene.run(['vacuum', '--all', '--retention', 'a week']);
  expectError(odd, { exit: 2, code: 'USAGE', says: /no duration/, hint: /7d/ });
});

test('tables that were never exported, or never compacted, are errors that say what to do', async () => {
  expectError(await scene.run(['vacuum', '--table', 'never_staged']), {
    exit: 2,
    code: 'STAGED_MISSING',
    says: /no staged table of public\.never_staged/,
    hint: /tidemark compact --table public\.never_staged/,
  });
  expectError(await scene.run(['vacuum', '--table', 'never_exported']), {
    exit: 2,
    code: 'TABLE_UNKNOWN',
    says: /no export has met/,
    hint: /tidemark export --table never_exported/,
  });
  expectError(await scene.run(['vacuum']), { exit: 2, code: 'USAGE', says: /which tables/, hint: /--all/ });
});

test('it deletes, a second time there is nothing to do; a table that fails does not stop the others', async () => {
  const broken = path.join(scene.cwd, 'lake/staged/customer/_delta_log/00000000000000000000.json');
  await rm(broken);
  await stagedTable(scene.cwd, 'customer').then((table) =>
    table.orphan('_delta_log/00000000000000000005.json', ago(1)),
  );
  const { code, stdout } = await scene.run(['vacuum', '--all']);
  expect(stdout).toMatch(
    /^public\.customer +failed +STAGED_BROKEN\npublic\.invoice +2 files deleted +10 B +3 kept\n\nSTAGED_BROKEN: /,
  );
  expect(code).toBe(1);
  expect(await data()).toEqual(['live.parquet', 'recent.parquet', 'young.parquet']);
  const again = await scene.run(['vacuum', '--table', 'invoice']);
  expect(again.stdout).toBe('public.invoice  nothing to delete    3 kept\n');
});

test('the source is not asked: only the state store and the lake are needed', async () => {
  const config = {
    source: { url: 'postgres://nobody@127.0.0.1:1/nowhere' },
    state: { url: scene.db.url },
  };
  const { code, stdout } = await scene.run(['vacuum', '--table', 'invoice', '--json'], config);
  expect({ code, tables: JSON.parse(stdout).tables }).toMatchObject({ code: 0, tables: [{ files: 0, kept: 3 }] });
  expect(JSON.parse(stdout).tables[0]).not.toHaveProperty('paths');
});

test('the manifest of old runs goes into the lake: of tables without a staged one too', async () => {
  const { db } = scene;
  await addOldRuns(db, 'never_staged', 320);
  const [{ id }] = await db.query<{ id: number }>(`select id from tidemark.source_table where folder = 'never_staged'`);
  const dry = await scene.run(['vacuum', '--table', 'never_staged', '--dry-run']);
  expect(dry).toMatchObject({ code: 0, stderr: '' });
  expect(dry.stdout).toBe('public.never_staged  nothing to delete    0 kept\n  manifest: 121 runs would be archived\n');
  const counts = `select (select count(*)::int from tidemark.run where table_id = ${id}) as runs,
    (select count(*)::int from tidemark.raw_file join tidemark.run using (run) where table_id = ${id}) as files,
    (select coalesce(sum(runs), 0)::int from tidemark.archived_runs where table_id = ${id}) as archived`;
  const [before] = await db.query(counts);
  expect(before).toMatchObject({ runs: 321, archived: 0 });
  const { code, stdout } = await scene.run(['vacuum', '--table', 'never_staged', '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout).tables).toEqual([
    {
      table: 'public.never_staged',
      state: 'vacuumed',
      files: 0,
      bytes: 0,
      kept: 0,
      archived_runs: 121,
      dry_run: false,
    },
  ]);
  expect(await db.query(counts)).toEqual([{ runs: 200, files: 200, archived: 121 }]);
  expect(await readdir(path.join(scene.cwd, 'lake/_manifest/never_staged'))).toHaveLength(1);
  expectError(await scene.run(['vacuum', '--table', 'never_staged']), {
    exit: 2,
    code: 'STAGED_MISSING',
    says: /no staged table of public\.never_staged/,
    hint: /tidemark compact --table public\.never_staged/,
  });
});
