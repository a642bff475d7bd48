/** Rows that were deleted in the source, from the reconciliation to the staged table; against a real Postgres. */

import { stat } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commit } from '../../src/compact/delta/commit.ts';
import { createReconcileScene, type ReconcileScene, STEPS } from '../support/reconciler.ts';
import { never } from '../support/state.ts';

let scene: ReconcileScene;
beforeAll(async () => {
  scene = await createReconcileScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const insert = (table: string, from: number, to: number) =>
  scene.db.query(`insert into ${table} (id, name) select i, 'row ' || i from generate_series(${from}, ${to}) i`);
const remove = (table: string, where: string) => scene.db.query(`delete from ${table} where ${where}`);

/** What an export of the table starts from, and what status says of it. */
const standing = async (table: string) => {
  const [found] = await scene.db.query(
    'select mark, mark_run, last_checked_at, failed_run, columns from tidemark.source_table where folder = $1',
    [table],
  );
  return found;
};

const runsOf = (table: string) =>
  scene.db.query<{ kind: string; state: string }>(
    `select kind, state from tidemark.run where table_id = (select id from tidemark.source_table where folder = $1) order by run`,
    [table],
  );

describe.for(['rewrite', 'vectors'] as const)('with merge: %s', (merge) => {
  const settings = { merge };

  test('deleted rows leave the staged table with the next compaction', async () => {
    const table = await scene.numbers(settings);
    await remove(table, 'id in (2, 4)');
    const result = await scene.reconcile(table, { settings });
    expect(result).toMatchObject({ state: 'committed', keys: 3n, stagedKeys: 5n, deleted: 2n, waitingRuns: 0n });
    expect(await scene.staged(table)).toEqual(['1', '2', '3', '4', '5']);
    await scene.compact(table, settings);
    expect(await scene.staged(table)).toEqual(['1', '3', '5']);
    // From here on there is nothing to say.
    expect(await scene.reconcile(table, { settings })).toMatchObject({ state: 'nothing', stagedKeys: 3n, run: null });
  });

  test('again, when some rows of a file are deleted by then, and changed', async () => {
    const table = await scene.numbers(settings, 40);
    await scene.db.query(`update ${table} set name = 'new', updated_at = now() where id % 10 = 0`);
    await remove(table, 'id = 7');
    await scene.stage(table, settings);
    expect(await scene.settle(table, { settings })).toMatchObject({ deleted: 1n, stagedKeys: 40n });
    await remove(table, 'id in (8, 20)');
    expect(await scene.settle(table, { settings })).toMatchObject({ deleted: 2n, stagedKeys: 39n });
    expect(await scene.staged(table)).toHaveLength(37);
  });
});

test('a deleted row is one of op d with its key alone, and the run is one of the table’s history', async () => {
  const table = await scene.numbers();
  await remove(table, 'id = 3');
  const { run } = await scene.reconcile(table);
  const [row, ...more] = (await scene.exporter.rows(table)).filter(({ _tidemark_op }) => _tidemark_op === 'd');
  expect(more).toEqual([]);
  expect(row).toMatchObject({ id: '3', name: null, updated_at: null, _tidemark_run: String(run) });
  expect(await runsOf(table)).toMatchObject([
    { kind: 'export', state: 'committed' },
    { kind: 'reconcile', state: 'committed' },
  ]);
});

test('what the next export starts from, and when the last one was, stay as they are', async () => {
  const table = await scene.numbers();
  await remove(table, 'id = 3');
  const before = await standing(table);
  await scene.reconcile(table);
  expect(await standing(table)).toEqual(before);
  await insert(table, 6, 6);
  expect(await scene.exporter.run(table)).toMatchObject({ rows: 1n });
});

test('nothing deleted: no run, no file, and it is noted when', async () => {
  const table = await scene.numbers();
  expect(await scene.reconcile(table)).toMatchObject({ state: 'nothing', run: null, keys: 5n, stagedKeys: 5n });
  expect(await runsOf(table)).toHaveLength(1);
  const noted = await scene.exporter.state.done.lastWork('reconcile', new AbortController().signal);
  expect(noted.get(`public.${table}`)).toBeGreaterThan(0);
});

test('a dry run shows keys, and writes nothing', async () => {
  const table = await scene.numbers();
  await remove(table, 'id in (2, 4)');
  const files = await scene.exporter.rows(table);
  expect(await scene.reconcile(table, { dryRun: true })).toMatchObject({
    state: 'found',
    run: null,
    deleted: 2n,
    sample: ['id=2', 'id=4'],
  });
  expect(await scene.exporter.rows(table)).toEqual(files);
  expect(await runsOf(table)).toHaveLength(1);
});

describe('rows that come and go meanwhile', () => {
  test('a row that comes again before the snapshot is not deleted', async () => {
    const table = await scene.numbers();
    await remove(table, 'id in (2, 4)');
    const step = async (name: string) => {
      if (name === 'staged-read') await insert(table, 2, 2);
    };
    expect(await scene.reconcile(table, { step })).toMatchObject({ deleted: 1n });
    await scene.compact(table);
    expect(await scene.staged(table)).toEqual(['1', '2', '3', '5']);
  });

  test.for(['compacted in between', 'compacted together'])(
    'a row that comes again after it beats the delete: %s',
    async (when) => {
      const table = await scene.numbers();
      await remove(table, 'id in (2, 4)');
      const step = async (name: string) => {
        if (name === 'keys-read') await insert(table, 2, 2);
      };
      expect(await scene.reconcile(table, { step })).toMatchObject({ deleted: 2n });
      if (when === 'compacted in between') await scene.compact(table);
      expect(await scene.stage(table)).toMatchObject({ rows: 1n });
      expect(await scene.staged(table)).toEqual(['1', '2', '3', '5']);
    },
  );

  test('a row that is updated and then deleted goes, although the update waits for a compaction', async () => {
    const table = await scene.numbers();
    await scene.db.query(`update ${table} set name = 'new', updated_at = now() where id = 2`);
    await insert(table, 6, 6);
    await scene.exporter.run(table);
    await remove(table, 'id in (2, 6)');
    // Row 6 was not staged yet: the next time has it.
    expect(await scene.settle(table)).toMatchObject({ deleted: 1n, waitingRuns: 1n });
    expect(await scene.staged(table)).toEqual(['1', '3', '4', '5', '6']);
    expect(await scene.settle(table)).toMatchObject({ deleted: 1n, waitingRuns: 0n });
    expect(await scene.staged(table)).toEqual(['1', '3', '4', '5']);
  });

  test('the table cannot be exported between its snapshot and its commit', async () => {
    const table = await scene.numbers();
    await remove(table, 'id = 2');
    const refused: unknown[] = [];
    const step = async (name: string) => {
      await scene.exporter.run(table).catch((error) => refused.push([name, error.message]));
    };
    await scene.reconcile(table, { step });
    expect(refused).toEqual(STEPS.map((name) => [name, 'held by reconciler']));
  });

  test('a table that is being exported is held', async () => {
    const table = await scene.numbers();
    await insert(table, 6, 6);
    let held: unknown;
    const step = async (name: string) => {
      if (name === 'uploaded') held = await scene.reconcile(table);
    };
    await scene.exporter.run(table, { step });
    expect(held).toMatchObject({ state: 'held', held: { holder: 'test' }, run: null });
  });
});

describe('what else takes rows away', () => {
  test('a changed key is a row that is gone, and a new one', async () => {
    const table = await scene.numbers();
    await scene.db.query(`update ${table} set id = id + 100, updated_at = now() where id > 3`);
    await scene.stage(table);
    expect(await scene.settle(table)).toMatchObject({ deleted: 2n });
    expect(await scene.staged(table)).toEqual(['1', '104', '105', '2', '3']);
  });

  test('TRUNCATE of a small table', async () => {
    const table = await scene.numbers();
    await scene.db.query(`truncate ${table}`);
    expect(await scene.settle(table)).toMatchObject({ keys: 0n, deleted: 5n });
    expect(await scene.staged(table)).toEqual([]);
    await insert(table, 1, 2);
    await scene.stage(table);
    expect(await scene.reconcile(table)).toMatchObject({ state: 'nothing', stagedKeys: 2n });
  });

  test('partitions that are dropped or detached', async () => {
    const table = 'parted';
    await scene.db.query(`create table ${table} (id int, day int, primary key (id, day)) partition by list (day)`);
    for (const day of [1, 2, 3])
      await scene.db.query(`create table ${table}_${day} partition of ${table} for values in (${day})`);
    await scene.db.query(`insert into ${table} select i, 1 + i % 3 from generate_series(1, 9) i`);
    await scene.stage(table);
    await scene.db.query(`drop table ${table}_1; alter table ${table} detach partition ${table}_2`);
    expect(await scene.settle(table)).toMatchObject({ deleted: 6n, keys: 3n });
    expect(await scene.staged(table)).toEqual(['2', '5', '8']);
  });

  test('rows that no longer match `where:`; those before `start:` stay', async () => {
    const settings = { where: 'name is not null', start: '2000-01-01' };
    const table = await scene.numbers(settings);
    await scene.db.query(`update ${table} set name = null where id = 2`);
    await scene.db.query(`update ${table} set updated_at = '1999-01-01' where id = 3`);
    expect(await scene.settle(table, { settings })).toMatchObject({ deleted: 1n, keys: 4n });
    expect(await scene.staged(table)).toEqual(['1', '3', '4', '5']);
  });
});

test('what another writer left in the staged table makes no delete that would stop every compaction', async () => {
  const table = await scene.numbers();
  const { compactor } = scene;
  const delta = compactor.deps.table(`staged/${table}`);
  const [connection] = await compactor.deps.connect();
  const local = compactor.spool.path('foreign.parquet');
  const rows = `SELECT * FROM (VALUES (NULL::INTEGER, 'no key'), (7, 'twice'), (7, 'twice')) t(id, name)`;
  await connection.run(`COPY (${rows}) TO '${local}' (FORMAT parquet)`, never);
  const { size } = await stat(local);
  await compactor.spool.land(local, `staged/${table}/foreign.parquet`, never);
  const add = { path: 'foreign.parquet', partitionValues: {}, size, modificationTime: 0, dataChange: true };
  const written = { info: { operation: 'WRITE', operationParameters: {} }, remove: [] };
  const file = { ...add, stats: null, deletionVector: null };
  await commit(delta, await compactor.snapshot(table), { ...written, add: [file] }, never);
  expect(await scene.reconcile(table)).toMatchObject({ state: 'committed', deleted: 1n, stagedKeys: 7n });
  const gone = (await scene.exporter.rows(table)).filter(({ _tidemark_op }) => _tidemark_op === 'd');
  expect(gone).toMatchObject([{ id: '7' }]);
});
