/** Tables that were really exported and compacted, once their old runs are in archives: everything gives what it gave. */

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asOfFolder } from '../../src/compact/as-of-folder.ts';
import { runHere } from '../support/cli.ts';
import { type Compactor, createCompactor } from '../support/compactor.ts';
import { createExporter, type Exporter } from '../support/exporter.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { never } from '../support/state.ts';
import { archive, places } from './scene.ts';

const stack = new AsyncDisposableStack();
let db: TestDatabase;
let exporter: Exporter;
let compactor: Compactor;
let cwd: string;

beforeAll(async () => {
  db = stack.use(await createDatabase());
  cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-manifest-'));
  stack.defer(() => rm(cwd, { recursive: true, force: true }));
  exporter = stack.use(await createExporter(db.url, { lakeDir: path.join(cwd, 'lake') }));
  compactor = stack.use(await createCompactor(exporter));
  const config = { source: { url: 'postgres://nobody@127.0.0.1:1/none' }, state: { url: db.url }, lake: 'file:./lake' };
  await writeFile(path.join(cwd, 'tidemark.yaml'), JSON.stringify({ ...config, spool: { path: './spool' } }));
});
afterAll(() => stack.disposeAsync());

/** Runs that change rows and bring new ones; the `full`th, from 0, is a full one. */
async function exportRuns(table: string, count: number, full = -1): Promise<void> {
  for (let i = 0; i < count; i++) {
    await db.query(`insert into ${table} (v) values ('new'), ('${i}')`);
    await db.query(`update ${table} set v = v || '.', updated_at = now() where id % 5 = ${i % 5}`);
    const { state } = await exporter.run(table, { full: i === full });
    expect(state).toBe('committed');
  }
}

const query = async (sql: string) => {
  const { code, stdout, stderr } = await runHere(['query', '--quiet', '--format', 'json', sql], { cwd });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
};

describe.each([
  { name: 'runs of changes', table: 'changes', full: -1 },
  { name: 'a full run among them', table: 'with_full', full: 9 },
])('$name', ({ table, full }) => {
  /** The staged rows as of each of these instants, each run, and all that waits, as they were found before. */
  let asOf: { at: bigint; rows: unknown }[];
  let history: unknown;
  let told: unknown;

  const rowsAsOf = async (at: bigint) => {
    const folder = asOfFolder(table, at);
    await rm(path.join(cwd, 'lake/staged', folder), { recursive: true, force: true });
    await compactor.compact(table, { rebuild: { asOf: at } });
    return compactor.rows(folder);
  };
  const sql = `select _tidemark_run, count(*) as n, min(id) as least, max(v) as v from raw.${table} group by 1 order by 1`;
  const tell = async () => ({
    staged: (await exporter.state.stagedOf([table], never)).get(table),
    status: (await exporter.state.status()).find(({ folder }) => folder === table),
  });

  beforeAll(async () => {
    await db.query(
      `create table ${table} (id serial primary key, v text, updated_at timestamptz not null default now())`,
    );
    await exportRuns(table, 14, full);
    await compactor.compact(table);
    await exportRuns(table, 6);
    const instants = await db.query<{ at: string }>(
      `select (extract(epoch from snapshot_at) * 1000000)::bigint as at from tidemark.run join tidemark.source_table t on t.id = table_id
       where folder = $1 order by run`,
      [table],
    );
    asOf = [];
    for (const { at } of instants.filter((_, i) => i % 4 === 1))
      asOf.push({ at: BigInt(at), rows: await rowsAsOf(BigInt(at)) });
    history = await query(sql);
    told = await tell();
    expect(await archive(exporter, table, { limits: { least: 1, keep: 1, most: 12, archives: 2 } })).toBe(19);
  });

  test('status says the same, query reads the same history', async () => {
    expect((await places(exporter.state, table)).live).toHaveLength(1);
    expect(await tell()).toEqual(told);
    expect(await query(sql)).toEqual(history);
    const [{ _tidemark_run: run, n }] = (history as { _tidemark_run: string; n: unknown }[]).slice(3);
    expect(await query(`select count(*) as n from raw.${table} where _tidemark_run = ${run}`)).toEqual([{ n }]);
  });

  test('other engines see no file but raw files below raw/', async () => {
    const below = await readdir(path.join(cwd, 'lake/raw', table), { recursive: true, withFileTypes: true });
    expect(below.filter((each) => each.isFile() && !each.name.endsWith('.parquet'))).toEqual([]);
  });

  test('made anew as of any instant it is as before', async () => {
    for (const { at, rows } of asOf) expect(await rowsAsOf(at)).toEqual(rows);
  });

  test('what waits is compacted from archives, and a rebuild from archives makes the same', async () => {
    expect((await compactor.compact(table)).state).toBe('compacted');
    const rows = await compactor.rows(table);
    const source = await db.query<{ id: number; v: string }>(`select id, v from ${table} order by id`);
    expect(rows.map(({ id, v }) => ({ id: Number(id), v })).sort((a, b) => a.id - b.id)).toEqual(source);
    expect((await compactor.compact(table)).state).toBe('nothing');
    await compactor.compact(table, { rebuild: { asOf: null } });
    expect(await compactor.rows(table)).toEqual(rows);
    await exportRuns(table, 2);
    await compactor.compact(table);
    const { staged } = await tell();
    expect(staged!.waiting.runs).toBe(0n);
  });
});
