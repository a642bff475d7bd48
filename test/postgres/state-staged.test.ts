import { expect, test } from 'vitest';
import type { Lease } from '../../src/state/leases.ts';
import type { StateStore } from '../../src/state/state-store.ts';
import { createDatabase } from '../support/postgres.ts';
import { isHeld, MINUTE, never, openAt, PLAN, prepare, take, wanted } from '../support/state.ts';

const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
const ERROR = { code: 'STAGED_BROKEN', message: 'a file is gone' } as const;
const STAGED = { version: 3n, throughRun: 1n, rows: 10n, files: 2n, bytes: 2n ** 60n, compacted: true };

const compacting = (store: StateStore, folder: string, holder = 'c', ttlMs = MINUTE) =>
  take(store, folder, holder, ttlMs, 'compact');

/** A committed run; `minutes`: of its snapshot, after PLAN's. */
async function commit(store: StateStore, lease: Lease, full = false, minutes = 0): Promise<bigint> {
  const run = await prepare(store, lease, { full, snapshotAt: PLAN.snapshotAt + BigInt(minutes) * 60_000_000n });
  await store.commit(lease, run, never);
  return run;
}

const runsOf = async (store: StateStore, ...args: Parameters<StateStore['rawRuns']>) =>
  (await store.rawRuns(...args)).runs!.map(({ run }) => run);

test('an export and a compaction of one table do not hold each other up, two compactions do', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const exporting = await take(store, 'invoice');
  const run = await prepare(store, exporting.lease);
  const first = await compacting(store, 'invoice');
  expect(first).toMatchObject({ columns: null, unfinished: [] });
  const [second] = await store.acquire('compact', wanted('invoice'), 'd', MINUTE, never);
  expect(isHeld(second) && second.holder).toBe('c');
  // Nor does the end of the one end the other.
  await store.release([first.lease]);
  await store.commit(exporting.lease, run, never);
  expect((await compacting(store, 'invoice')).columns).toHaveLength(1);
});

test('a number for a compaction is one that no run has', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const before = await commit(store, lease);
  const number = await store.nextRunNumber(never);
  expect(number).toBeGreaterThan(before);
  expect(await commit(store, lease)).toBeGreaterThan(number);
});

test('raw runs come in order with their files, after a run, a page at a time', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const { lease: other } = await take(store, 'track');
  const one = await commit(store, lease);
  await commit(store, other);
  const two = await commit(store, lease);
  const three = await commit(store, lease);

  const key = (part: number) =>
    `raw/invoice/load_date=2026-07-01/run-00000000000${one}-${store.id.replaceAll('-', '').slice(0, 12)}-0000${part}.parquet`;
  const bounds = { invoice_id: { min: '1', max: '9007199254740993' } };
  const [first] = (await store.rawRuns('invoice', 0n, never)).runs!;
  expect(first).toEqual({
    run: one,
    full: false,
    snapshotAt: '2026-07-01T10:00:00.123456Z',
    rows: 3n,
    bytes: 201n,
    files: [
      { key: key(0), rows: 2, bytes: 100, bounds },
      { key: key(1), rows: 1, bytes: 101, bounds },
    ],
  });
  expect(await runsOf(store, 'invoice', 0n, never)).toEqual([one, two, three]);
  expect(await runsOf(store, 'invoice', one, never)).toEqual([two, three]);
  expect(await runsOf(store, 'invoice', three, never)).toEqual([]);
  expect(await runsOf(store, 'invoice', 0n, never, {}, 2)).toEqual([one, two]);
  expect(await runsOf(store, 'invoice', two, never, {}, 2)).toEqual([three]);
  expect(await runsOf(store, 'nowhere', 0n, never)).toEqual([]);
});

test('only committed runs count', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const gone = await prepare(store, lease);
  await store.abandon(lease, gone, 'enough');
  const { run: planned } = await store.plan(lease, PLAN, never);
  expect(await runsOf(store, 'invoice', 0n, never)).toEqual([]);
  await store.fail(lease, planned, ERROR);
  await store.abandon(lease, planned, 'enough');
  const open = await prepare(store, lease);
  expect(await runsOf(store, 'invoice', 0n, never)).toEqual([]);
  await store.commit(lease, open, never);
  expect(await runsOf(store, 'invoice', 0n, never)).toEqual([open]);
});

test('they begin with the last full run that is wanted: what it replaces is left out', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const [a, full, b, again, c] = [
    await commit(store, lease),
    await commit(store, lease, true),
    await commit(store, lease),
    await commit(store, lease, true),
    await commit(store, lease),
  ];
  expect(await runsOf(store, 'invoice', 0n, never)).toEqual([again, c]);
  expect(await runsOf(store, 'invoice', again, never)).toEqual([c]);
  expect(await runsOf(store, 'invoice', 0n, never, { run: b })).toEqual([full, b]);
  expect(await runsOf(store, 'invoice', 0n, never, { run: a })).toEqual([a]);
});

test('as of an instant: to the microsecond, and without gaps where the clock went back', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const runs: bigint[] = [];
  for (const minutes of [0, 10, 5, 20]) runs.push(await commit(store, lease, false, minutes));
  const asOf = (minutes: number, micros = 0n) =>
    runsOf(store, 'invoice', 0n, never, { at: PLAN.snapshotAt + BigInt(minutes) * 60_000_000n + micros });
  expect(await asOf(0, -1n)).toEqual([]);
  expect(await asOf(0)).toEqual(runs.slice(0, 1));
  expect(await asOf(5)).toEqual(runs.slice(0, 3));
  expect(await asOf(20, -1n)).toEqual(runs.slice(0, 3));
  expect(await asOf(20)).toEqual(runs);
  const both = { at: PLAN.snapshotAt + 1_200_000_000n, run: runs[1] };
  expect(await runsOf(store, 'invoice', 0n, never, both)).toEqual(runs.slice(0, 2));
});

test('what a compaction leaves is known without the lake, with what waits', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const first = await commit(store, lease);
  expect((await store.stagedOf(['invoice'], never)).size).toBe(0);
  const c = await compacting(store, 'invoice');
  await store.staged(c.lease, { ...STAGED, throughRun: first }, never);
  const staged = async () => (await store.stagedOf(['nowhere', 'invoice'], never)).get('invoice');
  expect(await staged()).toEqual({
    version: 3n,
    throughRun: first,
    rows: 10n,
    files: 2n,
    bytes: 2n ** 60n,
    asOf: '2026-07-01T10:00:00.123456Z',
    checkedAt: INSTANT,
    compactedAt: INSTANT,
    optimizedAt: null,
    waiting: { runs: 0n, rows: 0n, bytes: 0n, since: null },
    lastFullAt: null,
    failure: null,
    lease: { holder: 'c', acquiredAt: INSTANT, expiresAt: INSTANT, expired: false },
  });

  await commit(store, lease, false, 1);
  const [{ at: since }] = await db.query<{ at: string }>(
    `select to_char(max(finished_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at from tidemark.run`,
  );
  await commit(store, lease, false, 2);
  expect(await staged()).toMatchObject({ waiting: { runs: 2n, rows: 6n, bytes: 402n, since } });
  // What a full run replaces is waited for, but is no work any more.
  await commit(store, lease, true, 3);
  expect(await staged()).toMatchObject({
    waiting: { runs: 1n, rows: 3n, bytes: 201n, since },
    lastFullAt: '2026-07-01T10:03:00.123456Z',
  });
  expect((await store.status())[0].staged).toEqual(await staged());
});

test('a look that finds nothing moves no date but its own; optimize has its own', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await compacting(store, 'invoice');
  const dates = async () => {
    const { checkedAt, compactedAt, optimizedAt } = (await store.stagedOf(['invoice'], never)).get('invoice')!;
    return { checkedAt, compactedAt, optimizedAt };
  };
  const nothing = { ...STAGED, throughRun: null, compacted: false };
  await store.staged(lease, nothing, never);
  const looked = await dates();
  expect(looked).toEqual({ checkedAt: INSTANT, compactedAt: null, optimizedAt: null });
  await store.staged(lease, { ...nothing, compacted: true, optimized: true }, never);
  const optimized = await dates();
  expect(optimized).toEqual({ checkedAt: INSTANT, compactedAt: INSTANT, optimizedAt: INSTANT });
  await store.staged(lease, nothing, never);
  expect(await dates()).toEqual({ ...optimized, checkedAt: INSTANT });
  expect((await dates()).checkedAt! > optimized.checkedAt!).toBe(true);
});

test('who has lost the lease notes nothing', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease: lost } = await compacting(store, 'invoice', 'one', 0);
  const { lease } = await compacting(store, 'invoice', 'two');
  await store.staged(lease, STAGED, never);
  await expect(store.staged(lost, { ...STAGED, version: 4n }, never)).rejects.toMatchObject({ code: 'LEASE_LOST' });
  expect((await store.stagedOf(['invoice'], never)).get('invoice')!.version).toBe(3n);
});

test('a staged table that was removed and made anew has a lower version', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await compacting(store, 'invoice');
  await store.staged(lease, STAGED, never);
  await store.staged(lease, { ...STAGED, version: 0n }, never);
  expect((await store.stagedOf(['invoice'], never)).get('invoice')!.version).toBe(0n);
});

test('a failed compaction is no failed export, nor the other way round', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const { lease: c } = await compacting(store, 'invoice');
  const failures = async () => {
    const [{ failure, staged }] = await store.status();
    return [failure?.error.code, staged?.failure?.error.code];
  };
  await store.fail(c, null, ERROR);
  expect(await failures()).toEqual([undefined, 'STAGED_BROKEN']);
  expect((await store.status())[0].staged).toMatchObject({
    version: null,
    failure: { failedAt: INSTANT, error: ERROR },
  });
  await store.fail(lease, null, { code: 'SOURCE_LOST', message: 'gone' });
  expect(await failures()).toEqual(['SOURCE_LOST', 'STAGED_BROKEN']);
  await commit(store, lease);
  expect(await failures()).toEqual([undefined, 'STAGED_BROKEN']);
  await store.fail(lease, null, { code: 'SOURCE_LOST', message: 'gone' });
  await store.staged(c, STAGED, never);
  expect(await failures()).toEqual(['SOURCE_LOST', undefined]);
});

test('of failures the last ten of each kind are kept', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const { lease: c } = await compacting(store, 'invoice');
  await store.fail(lease, null, ERROR);
  for (let i = 0; i < 12; i++) await store.fail(c, null, ERROR);
  const counts = 'select kind, count(*)::int as n from tidemark.run group by kind order by kind';
  expect(await db.query(counts)).toEqual([
    { kind: 'compact', n: 10 },
    { kind: 'export', n: 1 },
  ]);
  expect((await store.status())[0].staged?.failure?.run).toBe(13n);
});
