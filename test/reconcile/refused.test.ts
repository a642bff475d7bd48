/** What a reconciliation refuses, and which tables it leaves out; against a real Postgres. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TableSettings } from '../../src/model/table.ts';
import { createReconcileScene, type ReconcileScene } from '../support/reconciler.ts';

let scene: ReconcileScene;
beforeAll(async () => {
  scene = await createReconcileScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const remove = (table: string, where: string) => scene.db.query(`delete from ${table} where ${where}`);

const standing = async (table: string) => {
  const [found] = await scene.db.query('select failed_run from tidemark.source_table where folder = $1', [table]);
  return found;
};

const runsOf = (table: string) =>
  scene.db.query<{ kind: string; state: string; error: { code: string } | null }>(
    `select kind, state, error from tidemark.run where table_id = (select id from tidemark.source_table where folder = $1) order by run`,
    [table],
  );

describe('where most rows are gone', () => {
  const refused = { state: 'failed', run: null, error: { code: 'RECONCILE_MANY' } };

  test('it is refused, unless it is said to be right', async () => {
    const table = await scene.numbers({}, 2_001);
    await remove(table, 'id <= 1001');
    const result = await scene.tryReconcile(table);
    expect(result).toMatchObject(refused);
    expect(result.error!.message).toBe('1001 of 2001 rows are not in the source any more');
    expect(result.error!.hint).toContain(`reconcile --table public.${table} --accept-deletes`);
    expect(await scene.settle(table, { acceptDeletes: true })).toMatchObject({ deleted: 1001n });
    expect(await scene.staged(table)).toHaveLength(1_000);
  });

  test('half of them, or a thousand, are not too many', async () => {
    const half = await scene.numbers({}, 2_002);
    await remove(half, 'id <= 1001');
    expect(await scene.reconcile(half)).toMatchObject({ state: 'committed', deleted: 1001n });
    const thousand = await scene.numbers({}, 1_000);
    await remove(thousand, 'true');
    expect(await scene.reconcile(thousand)).toMatchObject({ state: 'committed', deleted: 1000n });
  });

  test('the failure is among the table’s runs, and is none of its exports', async () => {
    const table = await scene.numbers({}, 1_001);
    await remove(table, 'true');
    expect(await scene.tryReconcile(table)).toMatchObject(refused);
    expect((await runsOf(table)).at(-1)).toMatchObject({
      kind: 'reconcile',
      state: 'failed',
      error: { code: 'RECONCILE_MANY' },
    });
    expect(await standing(table)).toMatchObject({ failed_run: null });
  });
});

describe('tables that are left out', () => {
  const skips = async (table: string, reason: RegExp, settings?: Partial<TableSettings>) =>
    expect(await scene.reconcile(table, { settings })).toMatchObject({
      state: 'skipped',
      reason: expect.stringMatching(reason),
    });

  test('one without a key', async () => {
    await scene.db.query('create table keyless (x int)');
    await skips('keyless', /no key/, { key: 'none' });
  });

  test('one that was never exported; nothing of it is written down', async () => {
    await scene.db.query('create table never_exported (id int primary key)');
    await skips('never_exported', /export --table public.never_exported/);
    expect(await standing('never_exported')).toBeUndefined();
  });

  test('one without a staged table', async () => {
    await scene.db.query('create table unstaged (id int primary key); insert into unstaged values (1)');
    await scene.exporter.run('unstaged');
    await skips('unstaged', /no staged table.*compact --table public.unstaged/);
  });

  test('one whose first export in chunks is not finished', async () => {
    await scene.db.query(`create table chunked (id int primary key, pad text); alter table chunked alter pad set storage plain;
      insert into chunked select i, repeat('x', 1400) from generate_series(1, 40) i`);
    const settings = { chunkBytes: 26_000 };
    const step = async (name: string) => {
      if (name === 'chunk-noted') throw new Error('stopped here');
    };
    await scene.stage('chunked');
    await expect(scene.exporter.run('chunked', { settings, full: true, step })).rejects.toThrow('stopped here');
    await skips('chunked', /chunks/, settings);
    await scene.stage('chunked', settings);
    expect(await scene.reconcile('chunked', { settings })).toMatchObject({ state: 'nothing', keys: 40n });
  });

  test('one whose key is another by now fails', async () => {
    const table = await scene.numbers();
    await scene.db.query(`alter table ${table} add other int; update ${table} set other = id, updated_at = now()`);
    const settings = { key: ['other'] };
    await scene.exporter.run(table, { settings });
    expect(await scene.tryReconcile(table, { settings })).toMatchObject({
      state: 'failed',
      error: { code: 'STAGED_KEY' },
    });
  });
});
