/** A daemon's vacuum sends the manifest of old runs into the lake. */

import { expect, test } from 'vitest';
import { addOldRuns } from '../support/old-runs.ts';
import { daemonScene } from './scene.ts';

test('old runs leave the state store with a vacuum; rows of processes that died long ago too', async () => {
  await using scene = await daemonScene();
  await scene.table('invoice');
  await scene.configure();
  const first = scene.start();
  await first.says('exported', { table: 'public.invoice' });
  first.kill('SIGTERM');
  await first.ended;
  await addOldRuns(scene.db, 'invoice', 320);
  await scene.db.query(
    `insert into tidemark.source_slot (source, slot, claim, holder, expires_at)
     values ('long gone', 1, gen_random_uuid(), 'db-1 pid 1', now() - interval '2 days'), ('just gone', 1, gen_random_uuid(), 'db-1 pid 1', now())`,
  );
  await scene.db.query(
    `insert into tidemark.daemon_work values ('load', 'old', now() - interval '500 days'), ('load', 'yearly', now() - interval '300 days')`,
  );
  await scene.configure({ schedule: { export: 'off', compact: 'off', vacuum: '@every 1s' } });
  const second = scene.start();
  expect(await second.says('vacuumed', { table: 'public.invoice' })).toMatchObject({ archived: 121 });
  second.kill('SIGTERM');
  await second.ended;
  const [left] = await scene.db.query(
    `select (select count(*)::int from tidemark.run where state = 'committed') as runs,
       (select sum(runs)::int from tidemark.archived_runs) as archived,
       (select array_agg(source) from tidemark.source_slot where source like '% gone') as slots,
       (select array_agg(name order by name) from tidemark.daemon_work where kind = 'load') as loads`,
  );
  expect(left).toEqual({ runs: 200, archived: 121, slots: ['just gone'], loads: ['yearly'] });
});
