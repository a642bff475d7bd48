/** Reconciliations on a schedule: what was deleted in the source leaves the staged table by itself. */

import { expect, test, vi } from 'vitest';
import { daemonScene, PATIENCE } from './scene.ts';

test('a deleted row leaves the staged table, while exports go on; a restart does nothing twice', async () => {
  await using scene = await daemonScene();
  const { db } = scene;
  await scene.table('invoice', 10);
  await scene.table('left_out', 3);
  const tables = [{ table: 'public.*' }, { table: 'left_out', schedule: { reconcile: '@every 8760h' } }];
  const schedule = { export: '@every 1s', compact_after: { time: '0s' } };
  await scene.configure({ tables, schedule: { ...schedule, reconcile: '@every 2s' } });
  const daemon = scene.start();
  await daemon.says('compacted', { table: 'public.left_out' });
  await daemon.says('compacted', { table: 'public.invoice' });
  await db.query('delete from invoice where id in (3, 7)');
  await db.query('delete from left_out where id = 1');
  await db.query(`insert into invoice values (11, 'new', now())`);

  expect(await daemon.says('reconciled', { table: 'public.invoice' })).toMatchObject({
    level: 'info',
    run: expect.any(Number),
    rows: 2,
    seconds: expect.any(Number),
  });
  const ids = () => scene.query('select id from invoice order by id');
  await vi.waitFor(
    async () => expect((await ids()).map(({ id }) => id)).toEqual([1, 2, 4, 5, 6, 8, 9, 10, 11]),
    PATIENCE,
  );
  // Exports do not fail, or wait for long, because the table was reconciled.
  await db.query(`insert into invoice values (3, 'again', now())`);
  await vi.waitFor(async () => expect((await ids()).map(({ id }) => id)).toContain(3), PATIENCE);
  expect(daemon.said('failed')).toEqual([]);
  expect(daemon.said('reconciled').filter(({ table }) => table !== 'public.invoice')).toEqual([]);
  expect(await scene.query('select count(*)::int as n from left_out')).toEqual([{ n: 3 }]);
  daemon.kill('SIGTERM');
  await daemon.ended;
  expect(await scene.held()).toEqual([]);

  // It was done this year; while no daemon runs another one goes by.
  await scene.configure({ tables, schedule: { ...schedule, reconcile: '@every 8760h' } });
  await db.query('delete from invoice where id = 8');
  const second = scene.start();
  await db.query(`insert into invoice values (12, 'new', now())`);
  await second.says('exported', { table: 'public.invoice' });
  second.kill('SIGTERM');
  await second.ended;
  expect(second.said('reconciled')).toEqual([]);
  await db.query(`update tidemark.daemon_work set ended_at = now() - interval '366 days' where kind = 'reconcile'`);
  const third = scene.start();
  await third.says('reconciled', { table: 'public.invoice', rows: 1 });
  await third.says('compacted', { table: 'public.invoice', deleted: 1 });
  // The page's chart has what earlier processes exported; how late tables were is not known of that time.
  const { url } = await third.says('status page');
  const samples = async () => {
    const answer = await fetch(`${url}/api/samples`);
    const all = ((await answer.json()) as { samples: { max_lag_seconds: number | null; rows: number }[] }).samples;
    return all.filter(({ max_lag_seconds: lag }) => lag === null).reduce((sum, { rows }) => sum + rows, 0);
  };
  // 10 and 3 at first, then 11, 3 again, 12.
  await expect.poll(samples, PATIENCE).toBe(16);
  // Never done, and planned since the first of them: its time has not come.
  expect(third.said('reconciled').map(({ table }) => table)).toEqual(['public.invoice']);
  expect(await scene.query('select count(*)::int as n from left_out')).toEqual([{ n: 3 }]);
});
