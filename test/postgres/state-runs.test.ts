import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { markToJson } from '../../src/state/mark-json.ts';
import { anyMark } from '../support/any-mark.ts';
import { createDatabase } from '../support/postgres.ts';
import { MARK, MINUTE, never, openAt, PLAN, prepare, prepared, take, wanted } from '../support/state.ts';

const ERROR = { code: 'SOURCE_LOST', message: 'the source went away' } as const;

test('planned, prepared, committed: the files count and the mark moves at the commit, not before', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease, mark, columns, unfinished } = await take(store, 'invoice');
  expect({ mark, columns, unfinished }).toEqual({ mark: null, columns: null, unfinished: [] });

  const { run, prefix } = await store.plan(lease, PLAN, never);
  expect(prefix).toBe(
    `raw/invoice/load_date=2026-07-01/run-000000000001-${store.id.replaceAll('-', '').slice(0, 12)}-`,
  );
  const left = prepared(prefix, lease.token);
  await store.prepare(lease, run, left, never);
  expect(await db.query('select mark from tidemark.source_table')).toEqual([{ mark: null }]);

  await store.commit(lease, run, never);
  await store.release([lease]);
  const next = await take(store, 'invoice');
  expect(next).toMatchObject({ mark: MARK, columns: left.columns, unfinished: [] });
  expect(
    await db.query(
      `select f.key, f.part, f.rows, f.bytes, f.upload, f.bounds from tidemark.raw_file f
       join tidemark.run r using (run) where r.state = 'committed' order by part`,
    ),
  ).toEqual(left.files.map((file) => ({ ...file, rows: String(file.rows), bytes: String(file.bytes) })));
});

test('a process that died leaves its run to the next holder: planned', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const dead = (await take(store, 'invoice', 'one', 0)).lease;
  const { run, prefix } = await store.plan(dead, PLAN, never);
  const { lease, unfinished } = await take(store, 'invoice', 'two');
  expect(unfinished).toEqual([{ state: 'planned', run, prefix, token: dead.token }]);
  await store.abandon(lease, run, 'its process is gone');
  const again = await store.plan(lease, PLAN, never);
  expect(again.run).toBeGreaterThan(run);
  expect(again.prefix).not.toBe(prefix);
});

test('a process that died leaves its run to the next holder: prepared, with all that completing it needs', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const dead = (await take(store, 'invoice', 'one', 0)).lease;
  const { run, prefix } = await store.plan(dead, PLAN, never);
  await store.prepare(dead, run, prepared(prefix, dead.token), never);
  await take(store, 'track');
  const got = await store.acquire('export', wanted('track', 'invoice'), 'two', MINUTE, never);
  expect(got[1]).toMatchObject({
    unfinished: [{ state: 'prepared', run, prefix, token: dead.token, prepared: prepared(prefix, dead.token) }],
  });
});

test('an abandoned run leaves nothing in the manifest, also one that was prepared', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const run = await prepare(store, lease);
  await store.abandon(lease, run, 'an upload has expired');
  await store.abandon(lease, run, 'again');
  expect(await db.query('select * from tidemark.raw_file')).toEqual([]);
  expect(await db.query('select state, reason, next_mark from tidemark.run')).toEqual([
    { state: 'abandoned', reason: 'an upload has expired', next_mark: null },
  ]);
  await store.release([lease]);
  expect(await take(store, 'invoice')).toMatchObject({ mark: null, unfinished: [] });
});

test('each step done twice is done once', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const { run, prefix } = await store.plan(lease, PLAN, never);
  for (let i = 0; i < 2; i++) await store.prepare(lease, run, prepared(prefix, lease.token), never);
  for (let i = 0; i < 2; i++) await store.commit(lease, run, never);
  // A repeat of the commit may come after the lease has gone on to another.
  await store.release([lease]);
  await take(store, 'invoice', 'two');
  await store.commit(lease, run, never);
  const [status] = await store.status();
  expect(status.raw).toEqual({ files: 2n, bytes: 201n, rows: 3n });
  expect(status.unfit).toEqual({ total: { null: 2 } });
});

test('a second run cannot begin while one is open: they could commit in the wrong order', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const { run } = await store.plan(lease, PLAN, never);
  await expect(store.plan(lease, PLAN, never)).rejects.toMatchObject({
    code: 'INTERNAL',
    message: expect.stringContaining(`run ${run} is still open`),
  });
});

test('steps out of order are refused', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const other = (await take(store, 'track')).lease;
  const { run, prefix } = await store.plan(lease, PLAN, never);
  const internal = { code: 'INTERNAL' };
  await expect(store.commit(lease, run, never)).rejects.toMatchObject(internal);
  await expect(store.commit(other, run, never)).rejects.toMatchObject(internal);
  await expect(store.prepare(lease, run + 1n, prepared(prefix, 1n), never)).rejects.toMatchObject(internal);
  await store.prepare(lease, run, prepared(prefix, lease.token), never);
  await store.commit(lease, run, never);
  await expect(store.abandon(lease, run, 'too late')).rejects.toMatchObject(internal);
  await expect(store.prepare(lease, run, prepared(prefix, lease.token), never)).rejects.toMatchObject(internal);
});

test('a failure is noted, and the run stays open until it is cleaned up', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice', 'one', 0);
  const { run } = await store.plan(lease, PLAN, never);
  await store.fail(lease, run, ERROR);
  expect(await store.runState(lease, run)).toBe('planned');
  const next = await take(store, 'invoice', 'two');
  expect(next.unfinished).toMatchObject([{ state: 'planned', run }]);
  // Its holder of then may still tell, and decides nothing by it.
  await store.fail(lease, run, { code: 'LEASE_LOST', message: 'late news\0', hint: 'wait', place: { key: '7' } });
  await store.abandon(next.lease, run, 'cleaned up');
  expect(await db.query('select state, error, reason from tidemark.run')).toEqual([
    {
      state: 'failed',
      error: { code: 'LEASE_LOST', message: 'late news\ufffd', hint: 'wait', key: '7' },
      reason: 'cleaned up',
    },
  ]);
});

test('a prepared run with a failure is rolled forward all the same', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const run = await prepare(store, lease);
  await store.fail(lease, run, { code: 'LAKE_FAILED', message: '503' });
  expect((await store.status())[0].failure).toMatchObject({ run, open: true, error: { code: 'LAKE_FAILED' } });
  await store.commit(lease, run, never);
  expect((await store.status())[0].failure).toBeNull();
});

test('who lost the lease sees that another has gone on with the run, and its failure is no news', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice', 'one', 0);
  const run = await prepare(store, lease);
  const next = await take(store, 'invoice', 'two');
  await store.commit(next.lease, run, never);
  await store.fail(lease, run, ERROR);
  expect(await store.runState(lease, run)).toBe('committed');
  expect((await store.status())[0].failure).toBeNull();
});

test('a look at a run waits for a prepare that is still on its way', async () => {
  await using db = await createDatabase();
  await using one = await openAt(db.url);
  await using two = await openAt(db.url);
  const { lease } = await take(one, 'invoice');
  const { run, prefix } = await one.plan(lease, PLAN, never);
  const blocked = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
  await db.query('begin; lock table tidemark.raw_file in exclusive mode');
  const preparing = one.prepare(lease, run, prepared(prefix, lease.token), never);
  while ((await db.query(blocked)).length === 0) await sleep(5);
  const look = two.runState(lease, run);
  while ((await db.query(blocked)).length < 2) await sleep(5);
  await db.query('commit');
  await preparing;
  expect(await look).toBe('prepared');
});

test('failures do not pile up; committed runs stay for ever', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  for (let i = 0; i < 12; i++) {
    await store.commit(lease, await prepare(store, lease), never);
    await store.abandon(lease, (await store.plan(lease, PLAN, never)).run, 'x');
    await store.fail(lease, null, ERROR);
  }
  expect(
    await db.query('select state, count(*)::int as n, min(run)::int as oldest from tidemark.run group by 1 order by 1'),
  ).toEqual([
    { state: 'abandoned', n: 5, oldest: 23 },
    { state: 'committed', n: 12, oldest: 1 },
    { state: 'failed', n: 5, oldest: 24 },
  ]);
});

test('every mark comes back from the state store as it was', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  await fc.assert(
    fc.asyncProperty(anyMark, async (mark) => {
      const { lease } = await take(store, 'invoice');
      expect(await store.saveIdle([{ lease, mark, columns: null }])).toEqual([]);
      await store.release([lease]);
      const next = await take(store, 'invoice');
      expect(next.mark).toEqual(mark);
      await store.release([next.lease]);
      const [row] = await db.query<{ seen: string; floor: string | null }>(
        `select (mark->>'seen')::int8multirange::text as seen, (extract(epoch from (mark->>'floor')::timestamptz) * 1000000)::int8::text as floor
         from tidemark.source_table`,
      );
      expect(row.seen).toBe(markToJson(mark).seen);
      expect(row.floor).toBe(mark.floor === null ? null : String(mark.floor));
    }),
    { numRuns: 50 },
  );
});

test('a mark may have seen thousands of ranges', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const seen = Array.from({ length: 20_000 }, (_, i) => ({ from: BigInt(i) * 3n, to: BigInt(i) * 3n + 1n }));
  const { lease } = await take(store, 'invoice');
  await store.saveIdle([{ lease, mark: { ...MARK, seen }, columns: null }]);
  await store.release([lease]);
  expect((await take(store, 'invoice')).mark!.seen).toEqual(seen);
});

test('an idle run keeps the columns it does not state', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const columns = [{ source: 'a', name: 'a', type: { kind: 'long' as const } }];
  const { lease } = await take(store, 'invoice');
  await store.saveIdle([{ lease, mark: MARK, columns }]);
  await store.saveIdle([{ lease, mark: MARK, columns: null }]);
  await store.release([lease]);
  expect((await take(store, 'invoice')).columns).toEqual(columns);
});
