/** A source that lacks what was exported: rows that it does not have are no deleted rows. */

import { expect, test } from 'vitest';
import { createCompactor } from '../support/compactor.ts';
import { debianBinDir, testWithDebianPostgres } from '../support/debian-postgres.ts';
import { createExporter } from '../support/exporter.ts';
import { createDatabase } from '../support/postgres.ts';
import { startPostgres } from '../support/postgres-server.ts';
import { createReconcileScene, reconcilerOf } from '../support/reconciler.ts';
import { ask, caughtUp, startStandby } from '../support/standby.ts';

test('a mark of another server is refused, until an export has noted the new one', async () => {
  await using scene = await createReconcileScene();
  await scene.db.query('create table t (id int primary key, updated_at timestamptz not null default now())');
  await scene.db.query('insert into t select generate_series(1, 5)');
  await scene.stage('t');
  await scene.db.query('delete from t where id = 2');
  await scene.db.query(`update tidemark.source_table set mark = jsonb_set(mark, '{history,system}', '"1"')`);
  expect(await scene.tryReconcile('t')).toMatchObject({
    state: 'failed',
    run: null,
    error: { code: 'RECONCILE_HISTORY', hint: expect.stringContaining('export --table public.t comes first') },
  });
  await scene.stage('t');
  expect(await scene.settle('t')).toMatchObject({ deleted: 1n });
  expect(await scene.staged('t')).toEqual(['1', '3', '4', '5']);
});

testWithDebianPostgres(
  'a standby that lags behind what was exported is refused, and taken once it is there',
  async () => {
    await using primary = await startPostgres({ binDir: debianBinDir() });
    await ask(primary.url(), 'create table t (id int primary key, updated_at timestamptz not null default now())');
    await using standby = await startStandby(primary, {});
    // Where the state is; the tables are the other server's.
    await using db = await createDatabase(primary.url());
    await ask(primary.url(), 'insert into t select generate_series(1, 5)');
    await using exporter = await createExporter(primary.url(), { stateUrl: db.url });
    await using compactor = await createCompactor(exporter);
    await exporter.run('t');
    await compactor.compact('t');
    await caughtUp(primary, standby);
    await ask(standby.url(), 'select pg_wal_replay_pause()');
    await ask(primary.url(), 'insert into t values (6)');
    await exporter.run('t');
    await compactor.compact('t');
    await using behind = await createExporter(standby.url(), { stateUrl: db.url, lakeDir: exporter.lakeDir });
    const scene = reconcilerOf(behind, compactor);
    expect(await scene.tryReconcile('t')).toMatchObject({ state: 'failed', error: { code: 'RECONCILE_HISTORY' } });
    await ask(standby.url(), 'select pg_wal_replay_resume()');
    await ask(primary.url(), 'delete from t where id = 3');
    await caughtUp(primary, standby);
    expect(await scene.settle('t')).toMatchObject({ deleted: 1n, keys: 5n });
    expect(await scene.staged('t')).toEqual(['1', '2', '4', '5', '6']);
  },
);
