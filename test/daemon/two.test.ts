/** Two daemons on one configuration share the tables. */

import { expect, test, vi } from 'vitest';
import { daemonScene, PATIENCE } from './scene.ts';

test('each change is exported once, by one of them; when one is stopped the other goes on', async () => {
  await using scene = await daemonScene();
  const tables = Array.from({ length: 10 }, (_, i) => `t${i}`);
  for (const table of tables) await scene.table(table);
  await scene.configure();
  const daemons = [scene.start(), scene.start()];
  const exported = () =>
    daemons.flatMap((daemon) => daemon.said('exported')).map(({ table, rows }) => `${table} ${rows}`);
  await vi.waitFor(() => expect(exported()).toHaveLength(10), PATIENCE);
  for (let i = 0; i < 5; i++) {
    for (const table of tables) await scene.db.query(`insert into ${table} values (${100 + i}, 'new', now())`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const count = async (where: string) => {
    const all = tables.map((table) => `select id from raw.${table}`).join(' union all ');
    return scene.query(`select count(*)::int as n from (${all}) where ${where}`);
  };
  await vi.waitFor(async () => expect(await count('true')).toEqual([{ n: 10 * 8 }]), PATIENCE);
  daemons[0].kill('SIGTERM');
  await daemons[0].ended;
  for (const table of tables) await scene.db.query(`insert into ${table} values (200, 'more', now())`);
  await vi.waitFor(async () => expect(await count('id = 200')).toEqual([{ n: 10 }]), PATIENCE);
  expect(await count('true')).toEqual([{ n: 10 * 9 }]);
  expect(daemons.flatMap((daemon) => daemon.said('failed'))).toEqual([]);
});
