/** Rows that were deleted in the source, from the reconciliation to the staged table; against a real Postgres. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createReconcileScene, type ReconcileScene } from '../support/reconciler.ts';

let scene: ReconcileScene;
beforeAll(async () => {
  scene = await createReconcileScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

let tables = 0;
/** A table of five rows, staged. */
async function stagedTable(merge: 'rewrite' | 'vectors' = 'rewrite'): Promise<string> {
  const table = `t${++tables}`;
  await scene.db.query(
    `create table ${table} (id int primary key, name text, updated_at timestamptz not null default now())`,
  );
  await scene.db.query(`insert into ${table} (id, name) select i, 'row ' || i from generate_series(1, 5) i`);
  await scene.stage(table, { merge });
  return table;
}

describe.for(['rewrite', 'vectors'] as const)('with merge: %s', (merge) => {
  test('deleted rows leave the staged table with the next compaction', async () => {
    const table = await stagedTable(merge);
    await scene.db.query(`delete from ${table} where id in (2, 4)`);
    const settings = { merge };
    const result = await scene.reconcile(table, { settings });
    expect(result).toMatchObject({ state: 'committed', keys: 3n, stagedKeys: 5n, deleted: 2n, waitingRuns: 0n });
    expect(await scene.staged(table)).toEqual(['1', '2', '3', '4', '5']);
    await scene.compact(table, settings);
    expect(await scene.staged(table)).toEqual(['1', '3', '5']);
    // From here on there is nothing to say.
    expect(await scene.reconcile(table, { settings })).toMatchObject({ state: 'nothing', stagedKeys: 3n, run: null });
  });
});
