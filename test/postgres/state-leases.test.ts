import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { keepAlive } from '../../src/state/keep-alive.ts';
import type { Acquired, Lease } from '../../src/state/leases.ts';
import { createDatabase } from '../support/postgres.ts';
import {
  isHeld,
  MARK,
  MINUTE,
  never,
  openAt,
  PLAN,
  prepare,
  prepared,
  silent,
  take,
  wanted,
} from '../support/state.ts';

const lost = expect.objectContaining({
  code: 'LEASE_LOST',
  place: expect.objectContaining({ table: 'public.invoice' }),
});

test('a lease has one holder; the second is told who that is', async () => {
  await using db = await createDatabase();
  await using one = await openAt(db.url);
  await using two = await openAt(db.url);
  await take(one, 'invoice', 'host-1 pid 11');
  const [held] = await two.acquire('export', wanted('invoice'), 'host-2 pid 22', MINUTE, never);
  expect(held).toEqual({ state: 'held', holder: 'host-1 pid 11', expiresAt: expect.any(String) });
});

test('leases come back in the order asked for, new tables and known ones mixed', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  await take(store, 'b', 'somebody');
  const got = await store.acquire('export', wanted('c', 'b', 'a'), 'me', MINUTE, never);
  expect(got.map((each) => (isHeld(each) ? each.holder : each.lease.folder))).toEqual(['c', 'somebody', 'a']);
});

test('a released or expired lease goes to the next one, with a greater token', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const first = await take(store, 'invoice');
  await store.release([first.lease]);
  const second = await take(store, 'invoice', 'two', 0);
  const third = await take(store, 'invoice', 'three');
  expect(second.lease.token).toBeGreaterThan(first.lease.token);
  expect(third.lease.token).toBeGreaterThan(second.lease.token);
});

test('expiry is of the state database’s clock, whatever ours says', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2001-01-01') });
  await take(store, 'invoice').finally(() => vi.useRealTimers());
  const [{ left }] = await db.query<{ left: number }>(
    'select extract(epoch from expires_at - clock_timestamp())::float8 as left from tidemark.lease',
  );
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(60);
  await db.query(`update tidemark.lease set expires_at = clock_timestamp() - interval '1 microsecond'`);
  await expect(take(store, 'invoice', 'two')).resolves.toMatchObject({ state: 'acquired' });
});

test('an expired lease that nobody took is still good for everything', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice', 'one', 0);
  const run = await prepare(store, lease);
  await store.commit(lease, run, never);
  expect(await store.saveIdle([{ lease, mark: MARK, columns: null }])).toEqual([]);
  expect(await store.renew([lease], MINUTE)).toEqual([]);
  await expect(take(store, 'invoice', 'two')).rejects.toThrow('held by one');
});

test('who lost the lease plans, prepares, commits, abandons and saves nothing', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const old = (await take(store, 'invoice', 'one', 0)).lease;
  const planned = await store.plan(old, PLAN, never);
  await take(store, 'invoice', 'two');

  await expect(store.plan(old, PLAN, never)).rejects.toEqual(lost);
  await expect(store.prepare(old, planned.run, prepared(planned.prefix, old.token), never)).rejects.toEqual(lost);
  await expect(store.abandon(old, planned.run, 'x')).rejects.toEqual(lost);
  expect(await store.saveIdle([{ lease: old, mark: MARK, columns: [] }])).toEqual([old]);
  expect(await store.renew([old], MINUTE)).toEqual([old]);
  expect(await db.query('select state, count(*)::int as n from tidemark.run group by 1')).toEqual([
    { state: 'planned', n: 1 },
  ]);
  expect(await db.query('select mark, columns from tidemark.source_table')).toEqual([{ mark: null, columns: null }]);
});

test('who lost the lease after preparing does not commit; the new holder does', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const old = (await take(store, 'invoice', 'one', 0)).lease;
  const run = await prepare(store, old);
  const next = (await take(store, 'invoice', 'two')).lease;
  await expect(store.commit(old, run, never)).rejects.toEqual(lost);
  expect(await db.query('select state from tidemark.run')).toEqual([{ state: 'prepared' }]);
  await store.commit(next, run, never);
  expect(await db.query('select state from tidemark.run')).toEqual([{ state: 'committed' }]);
});

test('a released lease is lost, even while nobody else has it', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  await store.release([lease]);
  await expect(store.plan(lease, PLAN, never)).rejects.toEqual(lost);
});

test('releasing a lost lease does not take it from its new holder', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const old = (await take(store, 'invoice', 'one', 0)).lease;
  const next = (await take(store, 'invoice', 'two')).lease;
  await store.release([old]);
  expect(await store.renew([next], MINUTE)).toEqual([]);
});

test('a takeover waits for a commit under way, and then starts from its mark', async () => {
  await using db = await createDatabase();
  await using one = await openAt(db.url);
  await using two = await openAt(db.url);
  const { lease } = await take(one, 'invoice', 'one', 0);
  const run = await prepare(one, lease);
  // Stops the commit between its look at the token and its end.
  await db.query('begin');
  await db.query('lock table tidemark.source_table in exclusive mode');
  const commit = one.commit(lease, run, never);
  const blocked = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
  while ((await db.query(blocked)).length === 0) await sleep(5);
  const takeover = take(two, 'invoice', 'two');
  while ((await db.query(blocked)).length < 2) await sleep(5);
  await db.query('commit');
  await commit;
  expect((await takeover).mark).toEqual(MARK);
  expect((await takeover).unfinished).toEqual([]);
});

test('processes that want the same 300 tables in different orders share them without a deadlock', async () => {
  await using db = await createDatabase();
  const folders = Array.from({ length: 300 }, (_, i) => `table_${i}`);
  const orders = [folders, folders.toReversed(), folders.toSorted(), folders.toSorted().toReversed()];
  const stores = await Promise.all(orders.map(() => openAt(db.url)));
  for (let round = 0; round < 5; round++) {
    const got = await Promise.all(
      stores.map((store, i) => store.acquire('export', wanted(...orders[i]), `holder ${i}`, MINUTE, never)),
    );
    const taken = got.flat().filter((each): each is Acquired => !isHeld(each));
    expect(new Set(taken.map(({ lease }) => lease.folder)).size).toBe(300);
    expect(taken).toHaveLength(300);
    expect(new Set(taken.map(({ lease }) => lease.token)).size).toBe(300);
    await Promise.all(
      stores.map((store, i) => store.release(got[i].flatMap((each) => (isHeld(each) ? [] : [each.lease])))),
    );
  }
  const deadlocks = await db.query(`select deadlocks::int from pg_stat_database where datname = current_database()`);
  expect(deadlocks).toEqual([{ deadlocks: 0 }]);
  for (const store of stores) await store[Symbol.asyncDispose]();
});

test('a folder that belongs to another table is refused, and no lease is taken', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  await store.release([lease]);
  const other = { name: { schema: 'app', table: 'Bill' }, folder: 'INVOICE' };
  await expect(store.acquire('export', [...wanted('track'), other], 'me', MINUTE, never)).rejects.toMatchObject({
    code: 'FOLDER_CLASH',
    message: 'folder invoice of the lake belongs to public.invoice',
    place: { table: 'app."Bill"' },
  });
  expect(await db.query('select count(*)::int as n from tidemark.lease where holder is not null')).toEqual([{ n: 0 }]);
});

test('one table under two folders has two marks', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const name = { schema: 'public', table: 'invoice' };
  const both = [
    { name, folder: 'invoice' },
    { name, folder: 'invoice_v2' },
  ];
  const got = (await store.acquire('export', both, 'me', MINUTE, never)) as Acquired[];
  await store.saveIdle([{ lease: got[1].lease, mark: MARK, columns: [] }]);
  await store.release(got.map(({ lease }) => lease));
  const again = (await store.acquire('export', both, 'me', MINUTE, never)) as Acquired[];
  expect(again.map(({ mark }) => mark)).toEqual([null, MARK]);
});

test('the heartbeat keeps a lease, reports a lost one once, and forgets one that is given back', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const [kept, stolen, given] = (
    (await store.acquire('export', wanted('a', 'b', 'c'), 'me', MINUTE, never)) as Acquired[]
  ).map(({ lease }) => lease);
  await db.query(`update tidemark.lease set expires_at = '-infinity'`);
  await take(store, 'b', 'thief');
  const reported: Lease[] = [];
  {
    await using beats = keepAlive(store, [kept, stolen, given], 60, (lease) => reported.push(lease), silent);
    beats.forget(given);
    await store.release([given]);
    const renewed = `select 1 from tidemark.lease where token = $1 and expires_at > acquired_at`;
    // Longer than a beat, until it was renewed; then two beats more, for a second report to show.
    while ((await db.query(renewed, [kept.token])).length === 0) await sleep(5);
    await sleep(60);
  }
  expect(reported).toEqual([stolen]);
});
