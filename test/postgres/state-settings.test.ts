import { expect, test } from 'vitest';
import { createDatabase } from '../support/postgres.ts';
import { MARK, MINUTE, never, openAt, PLAN, prepare, take } from '../support/state.ts';

const SETTINGS = ['synchronous_commit', 'lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout'];

test('every transaction that writes is durable and limited, whatever the database says', async () => {
  await using db = await createDatabase();
  await (await openAt(db.url))[Symbol.asyncDispose]();
  await db.query(`alter database ${db.name} set synchronous_commit = off`);
  // Each written row tells under which settings it was written.
  const values = SETTINGS.map((name) => `current_setting('${name}')`).join(" || ' ' || ");
  await db.query(`
    create table public.seen (relation text, settings text, unique (relation, settings));
    create function public.look() returns trigger language plpgsql as $$ begin
      insert into public.seen values (tg_relname, ${values}) on conflict do nothing; return null; end $$`);
  for (const table of ['lease', 'run', 'raw_file', 'source_table'])
    await db.query(
      `create trigger look after insert or update or delete on tidemark.${table} for each row execute function public.look()`,
    );
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  await store.commit(lease, await prepare(store, lease), never);
  const { run } = await store.plan(lease, PLAN, never);
  await store.fail(lease, run, { code: 'LAKE_FAILED', message: '503' });
  await store.abandon(lease, run, 'cleaned up');
  await store.fail(lease, null, { code: 'SOURCE_LOST', message: 'gone' });
  await store.saveIdle([{ lease, mark: MARK, columns: null }]);
  await store.renew([lease], MINUTE);
  await store.release([lease]);
  const settings = 'on 10s 20s 30s';
  expect(await db.query('select relation, settings from public.seen order by 1')).toEqual(
    ['lease', 'raw_file', 'run', 'source_table'].map((relation) => ({ relation, settings })),
  );
});
