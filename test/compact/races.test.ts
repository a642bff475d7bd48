/** Two on one staged table: the lease keeps them apart, and where it is lost the log decides; nothing is merged twice. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commit } from '../../src/compact/delta/commit.ts';
import { type Compactor, createCompactor } from '../support/compactor.ts';
import { createStagedScene, ID_NAME, namesOf, rowsOf, type StagedScene } from '../support/staged-scene.ts';
import { never } from '../support/state.ts';

let scene: StagedScene;
let second: Compactor;

beforeAll(async () => {
  scene = await createStagedScene();
  second = await createCompactor(scene.exporter);
});
afterAll(async () => {
  await second?.[Symbol.asyncDispose]();
  await scene?.[Symbol.asyncDispose]();
});

let tables = 0;
async function newTable(): Promise<string> {
  const table = `r${++tables}`;
  const { raw, compactor } = scene;
  await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'a', 2: 'b', 3: 'c' })] });
  await compactor.compact(table);
  return table;
}

const leaseEnds = (table: string) =>
  scene.database.query(
    `update tidemark.lease l set expires_at = clock_timestamp() from tidemark.source_table t
     where t.id = l.table_id and t.folder = $1 and l.kind = 'compact' and l.holder is not null`,
    [table],
  );

/** Does something once, at the step's first occurrence. */
function at(name: string, what: () => Promise<unknown>): (step: string) => Promise<void> {
  let done = false;
  return async (step) => {
    if (done || step !== name) return;
    done = true;
    await what();
  };
}

/** The table's data files in the lake that no version's log names. */
async function orphans(table: string): Promise<string[]> {
  const { compactor, exporter } = scene;
  const { version } = await compactor.snapshot(table);
  const named = new Set<string>();
  for (let v = 0; v <= version; v++) {
    for (const { path } of (await compactor.snapshot(table, v)).files.values()) named.add(path);
  }
  const found: string[] = [];
  for await (const { key } of exporter.lake.list(`staged/${table}/`, never)) {
    const name = key.slice(`staged/${table}/`.length);
    if (name.endsWith('.parquet') && !name.startsWith('_') && !named.has(name)) found.push(name);
  }
  return found;
}

test('while one compacts, the other is told who holds the table', async () => {
  const table = await newTable();
  await scene.raw.add(table, { columns: ID_NAME, files: [rowsOf({ 1: 'A' })] });
  const held: unknown[] = [];
  const step = at('commit', async () => held.push(await second.compact(table)));
  expect(await scene.compactor.compact(table, { step })).toMatchObject({ state: 'compacted', updated: 1 });
  expect(held).toMatchObject([{ state: 'held', holder: 'test', version: null }]);
});

describe.each(['rewrite', 'vectors'] as const)('merge: %s', (merge) => {
  test.each(['batch-read', 'changes-read', 'files-landed', 'commit'])(
    'the lease is lost at %s, and another merges the same runs: the first gives up what it wrote',
    async (name) => {
      const table = await newTable();
      await scene.raw.add(table, { columns: ID_NAME, files: [rowsOf({ 1: 'A', 2: undefined, 4: 'D' })] });
      const step = at(name, async () => {
        await leaseEnds(table);
        expect(await second.compact(table, { merge })).toMatchObject({ state: 'compacted', version: 1 });
      });
      const first = await scene.compactor.tryCompact(table, { merge, step });
      expect(first).toMatchObject({ state: 'failed', error: { code: 'LEASE_LOST' } });
      expect((await scene.compactor.snapshot(table)).version).toBe(1);
      expect(await namesOf(scene.compactor, table)).toEqual({ 1: 'A', 3: 'c', 4: 'D' });
      expect(await orphans(table)).toEqual([]);
      expect(await scene.compactor.compact(table, { merge })).toMatchObject({ state: 'nothing', version: 1 });
    },
  );

  test('another one merges a first run, a second one comes: the loser goes on with the second alone', async () => {
    const table = await newTable();
    await scene.raw.add(table, { columns: ID_NAME, files: [rowsOf({ 1: 'A', 5: 'e' })] });
    const step = at('commit', async () => {
      await leaseEnds(table);
      await second.compact(table, { merge });
      await scene.raw.add(table, { columns: ID_NAME, files: [rowsOf({ 5: 'E', 2: undefined })] });
    });
    await scene.compactor.tryCompact(table, { merge, step });
    expect(await namesOf(scene.compactor, table)).toEqual({ 1: 'A', 3: 'c', 5: 'E' });
  });

  test('a foreign writer commits in between: its rows stay, ours come on top', async () => {
    const table = await newTable();
    const other = await newTable();
    await scene.raw.add(other, { columns: ID_NAME, files: [rowsOf({ 9: 'foreign' })] });
    await scene.compactor.compact(other);
    await scene.raw.add(table, { columns: ID_NAME, files: [rowsOf({ 1: 'A', 4: 'D' })] });
    const step = at('commit', async () => {
      const before = await scene.compactor.snapshot(table);
      const [file] = [...(await scene.compactor.snapshot(other)).files.values()].slice(-1);
      const lake = scene.exporter.lake;
      await lake.put(`staged/${table}/foreign.parquet`, await lake.get(`staged/${other}/${file.path}`, never), never);
      const info = { operation: 'WRITE', operationParameters: {} };
      const add = [{ ...file, path: 'foreign.parquet', stats: null }];
      await commit(scene.compactor.deps.table(`staged/${table}`), before, { info, remove: [], add }, never);
    });
    expect(await scene.compactor.compact(table, { merge, step })).toMatchObject({
      version: 2,
      inserted: 1,
      updated: 1,
    });
    expect(await namesOf(scene.compactor, table)).toEqual({ 1: 'A', 2: 'b', 3: 'c', 4: 'D', 9: 'foreign' });
    expect(await orphans(table)).toEqual([]);
    // A file without statistics may hold any key.
    await scene.raw.add(table, { columns: ID_NAME, files: [rowsOf({ 9: undefined, 1: 'AA' })] });
    expect(await scene.compactor.compact(table, { merge })).toMatchObject({ updated: 1, deleted: 1 });
    await scene.compactor.compact(table, { merge, optimize: true });
    expect(await namesOf(scene.compactor, table)).toEqual({ 1: 'AA', 2: 'b', 3: 'c', 4: 'D' });
  });
});

test('a foreign writer that is faster every time: it is said, and the next time goes', async () => {
  const table = await newTable();
  await scene.raw.add(table, { columns: ID_NAME, files: [rowsOf({ 1: 'A' })] });
  const step = async (name: string) => {
    if (name !== 'commit') return;
    const before = await scene.compactor.snapshot(table);
    const info = { operation: 'SET TBLPROPERTIES', operationParameters: {} };
    await commit(scene.compactor.deps.table(`staged/${table}`), before, { info, remove: [], add: [] }, never);
  };
  expect(await scene.compactor.tryCompact(table, { step })).toMatchObject({ error: { code: 'STAGED_CONFLICT' } });
  expect(await orphans(table)).toEqual([]);
  await scene.compactor.compact(table);
  expect(await namesOf(scene.compactor, table)).toMatchObject({ 1: 'A' });
});

test('a key that a foreign writer has doubled stops the table, until it is rebuilt', async () => {
  const table = await newTable();
  const snapshot = await scene.compactor.snapshot(table);
  const [file] = snapshot.files.values();
  const lake = scene.exporter.lake;
  await lake.put(`staged/${table}/twice.parquet`, await lake.get(`staged/${table}/${file.path}`, never), never);
  const info = { operation: 'WRITE', operationParameters: {} };
  const twice = { info, remove: [], add: [{ ...file, path: 'twice.parquet' }] };
  await commit(scene.compactor.deps.table(`staged/${table}`), snapshot, twice, never);
  await scene.raw.add(table, { columns: ID_NAME, files: [rowsOf({ 1: 'A' })] });
  expect(await scene.compactor.tryCompact(table)).toMatchObject({
    error: { code: 'STAGED_BROKEN', hint: expect.stringContaining('--rebuild') },
  });
  await scene.compactor.compact(table, { rebuild: { asOf: null } });
  expect(await namesOf(scene.compactor, table)).toEqual({ 1: 'A', 2: 'b', 3: 'c' });
});

test('an optimize that loses to a merge puts in order what is there by then', async () => {
  const table = await newTable();
  await scene.raw.add(table, { columns: ID_NAME, files: [rowsOf({ 0: 'z', 9: 'i' })] });
  await scene.compactor.compact(table);
  let met = false;
  const step = at('commit', async () => {
    met = true;
    await leaseEnds(table);
    await scene.raw.add(table, { columns: ID_NAME, files: [rowsOf({ 9: undefined, 3: 'C' })] });
    await second.compact(table);
  });
  await scene.compactor.tryCompact(table, { optimize: true, step });
  expect(met).toBe(true);
  expect(await namesOf(scene.compactor, table)).toEqual({ 0: 'z', 1: 'a', 2: 'b', 3: 'C' });
  await scene.compactor.compact(table, { optimize: true });
  expect(await namesOf(scene.compactor, table)).toEqual({ 0: 'z', 1: 'a', 2: 'b', 3: 'C' });
  expect(await orphans(table)).toEqual([]);
});

test('a rebuild leaves the old table to its readers until the new one is whole', async () => {
  const table = await newTable();
  await scene.raw.add(table, { columns: ID_NAME, files: [rowsOf({ 1: 'A' })] });
  await scene.raw.add(table, { columns: ID_NAME, files: [rowsOf({ 1: undefined, 4: 'd' })] });
  const seen: unknown[] = [];
  const step = async () => {
    seen.push(await namesOf(second, table));
  };
  await scene.compactor.compact(table, { rebuild: { asOf: null }, step });
  const old = { 1: 'a', 2: 'b', 3: 'c' };
  const made = { 2: 'b', 3: 'c', 4: 'd' };
  // The last step comes after the commit.
  expect(seen.slice(0, -1)).toEqual(seen.slice(0, -1).map(() => old));
  expect(seen.at(-1)).toEqual(made);
  expect(await namesOf(scene.compactor, table, 0)).toEqual(old);
  expect(await orphans(table)).toEqual([]);
});

test('a rebuild that loses its lease leaves the table, and none of its own files', async () => {
  const table = await newTable();
  await scene.raw.add(table, { columns: ID_NAME, files: [rowsOf({ 1: 'A' })] });
  const step = at('commit', async () => {
    await leaseEnds(table);
    await second.compact(table);
  });
  const result = await scene.compactor.tryCompact(table, { rebuild: { asOf: null }, step });
  expect(result).toMatchObject({ state: 'failed' });
  expect(await namesOf(scene.compactor, table)).toEqual({ 1: 'A', 2: 'b', 3: 'c' });
  expect(await orphans(table)).toEqual([]);
});

test('as it was at an instant, in a folder of its own', async () => {
  const { raw, compactor } = scene;
  const table = `r${++tables}`;
  const hour = (n: number) => BigInt(Date.UTC(2026, 6, 1, n)) * 1000n;
  await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 1: 'a', 2: 'b' })], at: hour(1) });
  await raw.add(table, { columns: ID_NAME, files: [rowsOf({ 1: 'A', 3: 'c' })], at: hour(2) });
  await raw.add(table, { columns: ID_NAME, files: [rowsOf({ 2: undefined })], at: hour(3) });
  await raw.add(table, { full: true, columns: ID_NAME, files: [rowsOf({ 9: 'i' })], at: hour(4) });
  await compactor.compact(table);
  await compactor.compact(table, { rebuild: { asOf: hour(2) } });
  await compactor.compact(table, { rebuild: { asOf: hour(3) + 1n } });
  expect(await namesOf(compactor, `${table}_as_of_20260701T020000Z`)).toEqual({ 1: 'A', 2: 'b', 3: 'c' });
  expect(await namesOf(compactor, `${table}_as_of_20260701T030000Z`)).toEqual({ 1: 'A', 3: 'c' });
  expect(await namesOf(compactor, table)).toEqual({ 9: 'i' });
  expect(await compactor.tryCompact(table, { rebuild: { asOf: hour(0) } })).toMatchObject({
    error: { code: 'STAGED_MISSING' },
  });
});
