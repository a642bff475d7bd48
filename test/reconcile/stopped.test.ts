/** Reconciliations that are stopped, lose their lease, or find no room: nothing of them stays. */

import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createReconcileScene, type ReconcileScene } from '../support/reconciler.ts';
import { never } from '../support/state.ts';

let scene: ReconcileScene;
beforeAll(async () => {
  scene = await createReconcileScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

let tables = 0;
async function stagedTable(on: ReconcileScene, rows = 5): Promise<string> {
  const table = `t${++tables}`;
  await on.db.query(`create table ${table} (id text primary key, updated_at timestamptz not null default now())`);
  await on.db.query(`insert into ${table} select md5(i::text) from generate_series(1, ${rows}) i`);
  await on.stage(table);
  await on.db.query(`delete from ${table} where id = md5('2')`);
  return table;
}

/** Nothing in the lake that no run names, no open run, no lease, nothing in the spool. */
async function isClean({ db, exporter, compactor }: ReconcileScene, table: string): Promise<void> {
  expect(await readdir(`${exporter.lakeDir}/_uploads/raw/${table}`, { recursive: true }).catch(() => [])).toEqual([]);
  expect((await exporter.rows(table)).filter(({ _tidemark_op }) => _tidemark_op === 'd')).toEqual([]);
  const left = await db.query(
    `select run from tidemark.run where table_id = (select id from tidemark.source_table where folder = $1) and state in ('planned', 'prepared')
     union all select token from tidemark.lease where table_id = (select id from tidemark.source_table where folder = $1) and holder is not null`,
    [table],
  );
  expect(left).toEqual([]);
  expect((await readdir(compactor.spool.path('.'))).filter((name) => name.startsWith('reconcile-'))).toEqual([]);
}

test.for(['staged-read', 'keys-read', 'planned', 'uploaded'])('stopped at %s', async (at) => {
  const table = await stagedTable(scene);
  const stop = new AbortController();
  const step = async (name: string) => {
    if (name !== at) return;
    stop.abort();
    stop.signal.throwIfAborted();
  };
  expect(await scene.tryReconcile(table, { step, signal: stop.signal })).toBeUndefined();
  await isClean(scene, table);
  // It was no failure of the table.
  const failed = await scene.db.query(`select run from tidemark.run where state = 'failed'`);
  expect(failed).toEqual([]);
  expect(await scene.reconcile(table)).toMatchObject({ state: 'committed', deleted: 1n });
});

test('one whose lease was taken away writes nothing, though it was about to', async () => {
  const table = await stagedTable(scene);
  const step = async (name: string) => {
    if (name !== 'uploaded') return;
    await scene.exporter.state.takeAway([table], 'export', true, never);
    await scene.exporter.run(table);
  };
  expect(await scene.tryReconcile(table, { step })).toMatchObject({ state: 'failed', error: { code: 'LEASE_LOST' } });
  await isClean(scene, table);
  expect(await scene.reconcile(table)).toMatchObject({ state: 'committed', deleted: 1n });
});

test('without room in the spool for the keys it says so, and gives back what it took', async () => {
  await using small = await createReconcileScene({ spoolBytes: 60_000 });
  const table = await stagedTable(small, 10_000);
  expect(await small.tryReconcile(table)).toMatchObject({ state: 'failed', error: { code: 'SPOOL_FULL' } });
  await isClean(small, table);
  expect(await small.compactor.spool.used()).toBe(0);
});
