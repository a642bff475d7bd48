/** Through a transaction pooler: sessions are lent by the transaction, so that nothing of ours may hang on one. */

import { expect } from 'vitest';
import { batchOf, drop, EVENTS, openTarget, originals, settingsOf } from '../support/load-target.ts';
import { startPgbouncer, testWithPgbouncer } from '../support/pgbouncer.ts';
import { createDatabase } from '../support/postgres.ts';
import { never } from '../support/state.ts';

testWithPgbouncer('several processes load everything once through a pool of two sessions', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  await using pooler = await startPgbouncer(db.url, { settings: ['default_pool_size = 2'] });
  const settings = settingsOf(pooler.through(db.url), { connections: 2 });
  const pages = Array.from({ length: 6 }, (_, p) => Array.from({ length: 5 }, (_, i) => String(p * 5 + i)));
  const loaded = await Promise.all(
    [0, 1, 2].map(async (n) => {
      await using target = await openTarget(settings);
      let drops = 0;
      for (const page of [...pages.slice(n * 2), ...pages.slice(0, n * 2)]) {
        const claimed = await target.claim(
          page.map((key) => drop(key)),
          never,
        );
        const rows = (key: string) => Array.from({ length: 20 }, (_, i) => [Number(key) * 20 + i, key, 1]);
        drops += (await target.load(batchOf(claimed, rows), originals, never)).drops.length;
      }
      return drops;
    }),
  );
  expect(loaded.reduce((sum, n) => sum + n)).toBe(30);
  expect(await db.query('select count(*)::int as n from events')).toEqual([{ n: 600 }]);
  expect(
    await db.query('select sum(rows_out)::int as out, sum(rows_known)::int as known from tidemark.load_drop'),
  ).toEqual([{ out: 600, known: 0 }]);
  // Nothing of ours is left in the pool's sessions.
  expect(
    await db.query(
      `select count(*)::int as n from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
    ),
  ).toEqual([{ n: 0 }]);
});
