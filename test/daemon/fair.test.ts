/** A table that takes long keeps no other waiting, with one reading connection too. */

import { expect, test } from 'vitest';
import { daemonScene } from './scene.ts';

test('while a large first export goes on, chunk by chunk, changes of small tables get through', async () => {
  await using scene = await daemonScene();
  await scene.db.query('create table big (id int primary key, t text, updated_at timestamptz not null default now())');
  await scene.db.query(`insert into big select g, repeat('x', 60) from generate_series(1, 200000) g`);
  await scene.table('small');
  await scene.configure({
    source: { url: scene.db.url, connections: 2 },
    defaults: { chunk: '1MB' },
    // Half a second for about each chunk.
    tables: [{ table: 'small' }, { table: 'big', where: 'id % 10000 <> 0 or pg_sleep(0.5) is not null' }],
  });
  const daemon = scene.start();
  await daemon.says('compacted', { table: 'public.small' });
  for (let id = 100; id < 102; id++) {
    await scene.db.query(`insert into small values ($1, 'new', now())`.replace('$1', String(id)));
    await daemon.says('compacted', { table: 'public.small', inserted: 1, version: id - 99 });
  }
  expect(daemon.said('exported').filter(({ table }) => table === 'public.big')).toEqual([]);
  expect(await daemon.says('exported', { table: 'public.big' })).toMatchObject({ rows: 200_000 });
});
