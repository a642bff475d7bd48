import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import { createDatabase } from '../support/postgres.ts';
import { startPostgres } from '../support/postgres-server.ts';
import { MINUTE, never, openAt, PLAN, prepare, prepared, take, wanted } from '../support/state.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

/** Not any message that holds the word: the name of a setting does, too. */
const isCommit = (message: Buffer) =>
  message.toString('latin1', 0, 1) === 'Q' && message.toString('latin1', 5) === 'commit\0';

/** Lets the next COMMIT come to this end, and everything else pass; tells how often it came to it. */
function atCommit(proxy: TcpProxy, verdict: 'cut' | 'swallow', times = 1): { left: number } {
  const count = { left: times };
  proxy.judge = (message) => (isCommit(message) && count.left > 0 && count.left-- ? verdict : 'pass');
  return count;
}

const ENDS = [
  ['before the server saw it', 'cut'],
  ['after the server carried it out', 'swallow'],
] as const;

test.each(ENDS)('a connection lost at the COMMIT, %s: each call is done once', async (_, verdict) => {
  await using db = await createDatabase();
  await using proxy = await startTcpProxy(Number(new URL(db.url).port));
  await using store = await openAt(proxy.through(db.url));
  const cut = () => atCommit(proxy, verdict);
  const counts: { left: number }[] = [];

  counts.push(cut());
  const { lease } = await take(store, 'invoice');
  counts.push(cut());
  const failed = await store.plan(lease, PLAN, never);
  counts.push(cut());
  await store.fail(lease, failed.run, { code: 'LAKE_FAILED', message: '503' });
  counts.push(cut());
  await store.abandon(lease, failed.run, 'cleaned up');
  const { run, prefix } = await store.plan(lease, PLAN, never);
  counts.push(cut());
  await store.prepare(lease, run, prepared(prefix, lease.token), never);
  counts.push(cut());
  await store.commit(lease, run, never);
  counts.push(cut());
  expect(await store.renew([lease], MINUTE)).toEqual([]);
  counts.push(cut());
  await store.release([lease]);

  // Each was cut once, and its repeat got through.
  expect(counts.map(({ left }) => left)).toEqual(counts.map(() => 0));
  expect(await db.query('select run::int, state from tidemark.run order by run')).toEqual([
    { run: Number(failed.run), state: 'failed' },
    { run: Number(run), state: 'committed' },
  ]);
  expect((await store.status())[0]).toMatchObject({
    raw: { files: 2n, bytes: 201n, rows: 3n },
    lease: null,
    failure: null,
  });
});

test('the run’s number is not lost in the repeat of a plan: no second run', async () => {
  await using db = await createDatabase();
  await using proxy = await startTcpProxy(Number(new URL(db.url).port));
  await using store = await openAt(proxy.through(db.url));
  const { lease } = await take(store, 'invoice');
  // The first COMMIT is that of the number, the second the plan's.
  let commits = 0;
  proxy.judge = (message) => (isCommit(message) && ++commits === 2 ? 'swallow' : 'pass');
  const { run } = await store.plan(lease, PLAN, never);
  expect(await db.query('select run::int, state from tidemark.run')).toEqual([{ run: Number(run), state: 'planned' }]);
});

test('backends that are terminated between calls and within one', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const run = await prepare(store, lease);
  const terminate = `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'tidemark' and pid <> pg_backend_pid()`;
  await db.query(terminate);
  // A session of its own: the one that holds the lock sees no backend that began after its transaction.
  const holder = new pg.Client({ connectionString: db.url });
  await holder.connect();
  await holder.query('begin; lock table tidemark.run');
  const commit = store.commit(lease, run, never);
  while ((await db.query(`${terminate} and wait_event_type = 'Lock'`)).length === 0) await sleep(5);
  await holder.end();
  await commit;
  expect((await store.status())[0].lastRun).toMatchObject({ run });
});

test('a connection that is always cut at the COMMIT ends as STATE_FAILED, not in a loop', async () => {
  await using db = await createDatabase();
  await using proxy = await startTcpProxy(Number(new URL(db.url).port));
  await using store = await openAt(proxy.through(db.url));
  const { lease } = await take(store, 'invoice');
  atCommit(proxy, 'cut', Number.POSITIVE_INFINITY);
  await expect(store.renew([lease], MINUTE)).rejects.toMatchObject({
    code: 'STATE_FAILED',
    message: expect.stringContaining('renew leases'),
  });
}, 60_000);

test('one connection is enough for calls at the same time, and no more is opened', async () => {
  await using db = await createDatabase();
  await using proxy = await startTcpProxy(Number(new URL(db.url).port));
  await using store = await openAt(proxy.through(db.url));
  const { lease } = await take(store, 'invoice');
  const calls = Array.from({ length: 20 }, () => [
    store.renew([lease], MINUTE),
    store.status(),
    store.plan(lease, PLAN, never).catch(() => {}),
  ]);
  await Promise.all(calls.flat());
  expect(proxy.accepted).toBe(1);
});

test('two connections at most, when two are allowed', async () => {
  await using db = await createDatabase();
  await using proxy = await startTcpProxy(Number(new URL(db.url).port));
  await using store = await openAt(proxy.through(db.url), { maxConnections: 2 });
  await Promise.all(Array.from({ length: 20 }, () => store.status()));
  expect(proxy.accepted).toBe(2);
});

test('a server that could never be reached is not tried again and again', async () => {
  await using db = await createDatabase();
  await using proxy = await startTcpProxy(Number(new URL(db.url).port));
  proxy.judge = () => 'cut';
  await expect(openAt(proxy.through(db.url))).rejects.toMatchObject({ code: 'STATE_UNREACHABLE' });
  expect(proxy.accepted).toBe(1);
});

test('an aborted call takes nothing', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  await expect(
    store.acquire('export', wanted('invoice'), 'me', MINUTE, AbortSignal.abort(new Error('stopped'))),
  ).rejects.toThrow('stopped');
  expect(await store.status()).toEqual([]);
});

test('the state in another server than the source, restarted in between', async () => {
  await using server = await startPostgres();
  await using store = await openAt(server.url());
  const { lease } = await take(store, 'invoice');
  const run = await prepare(store, lease);
  await server.stop();
  const restarted = server.start();
  await store.commit(lease, run, never);
  await restarted;
  expect((await store.status())[0].lastRun).toMatchObject({ run });
});

test('closing gives every connection back', async () => {
  await using db = await createDatabase();
  {
    await using store = await openAt(db.url, { maxConnections: 3 });
    await Promise.all(Array.from({ length: 6 }, () => store.status()));
  }
  const others = `select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;
  while ((await db.query(others)).length > 0);
});
