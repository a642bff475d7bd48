/** A table that takes long keeps no other waiting, with one reading connection too. */

import { expect, test } from 'vitest';
import { daemonScene } from './scene.ts';

test('while a large first export goes on, chunk by chunk, changes of small tables get through', async () => {
  await using scene = await daemonScene();
  await scene.db.query('create table big (id int primary key, t text, updated_at timestamptz not null default now())');
  await scene.db.query(`insert into big select g, repeat('x', 60) from generate_series(1, 200000) g`);
  // How long it takes is read again and again, whatever the snapshot: the test ends it.
  await scene.db.query(`create sequence pace; create function pace() returns boolean language plpgsql as
    $$ begin if not (select is_called from public.pace) then perform pg_sleep(2); end if; return true; end $$`);
  await scene.table('small');
  await scene.configure({
    source: { url: scene.db.url, connections: 2 },
    defaults: { chunk: '1MB' },
    // Two seconds for about each chunk: forty in all, of which the small one needs a few.
    tables: [{ table: 'small' }, { table: 'big', where: 'id % 10000 <> 0 or public.pace()' }],
  });
  const daemon = scene.start();
  await daemon.says('compacted', { table: 'public.small' });
  for (let id = 100; id < 102; id++) {
    await scene.db.query(`insert into small values ($1, 'new', now())`.replace('$1', String(id)));
    await daemon.says('compacted', { table: 'public.small', inserted: 1, version: id - 99 });
  }
  expect(daemon.said('exported').filter(({ table }) => table === 'public.big')).toEqual([]);
  await scene.db.query(`select nextval('pace')`);
  expect(await daemon.says('exported', { table: 'public.big' })).toMatchObject({ rows: 200_000 });
});
