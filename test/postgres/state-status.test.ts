import { expect, test } from 'vitest';
import { createDatabase } from '../support/postgres.ts';
import { MARK, never, openAt, PLAN, prepare, take } from '../support/state.ts';

const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);

test('a table that was never exported', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  await take(store, 'invoice', 'host-1 pid 11');
  expect(await store.status()).toEqual([
    {
      table: { schema: 'public', table: 'invoice' },
      folder: 'invoice',
      mark: null,
      lastRun: null,
      failure: null,
      lastCheckedAt: null,
      lease: { holder: 'host-1 pid 11', acquiredAt: INSTANT, expiresAt: INSTANT, expired: false },
      raw: { files: 0n, bytes: 0n, rows: 0n },
      unfit: {},
      chunks: null,
      paused: null,
      broken: [],
      repeats: null,
      keyed: null,
      staged: null,
      reconciled: null,
      reconcileFailure: null,
    },
  ]);
});

test('when it was last reconciled, and how many deleted rows that found', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  await take(store, 'invoice', 'host-1 pid 11');
  await store.done.noteReconciled('public.invoice', 3n, never);
  expect((await store.status())[0].reconciled).toEqual({ at: expect.stringMatching(/^\d{4}-.*Z$/), deleted: 3n });
  await store.done.noteReconciled('public.invoice', 0n, never);
  expect((await store.status())[0].reconciled).toMatchObject({ deleted: 0n });
  // One that failed is told until one is done.
  const { lease } = await take(store, 'late', 'host-1 pid 11');
  const run = await store.fail({ ...lease, runs: 'reconcile' }, null, {
    code: 'RECONCILE_MANY',
    message: 'too many',
  });
  const late = async () => (await store.status()).find(({ folder }) => folder === 'late');
  expect(await late()).toMatchObject({ failure: null, reconcileFailure: { run, error: { code: 'RECONCILE_MANY' } } });
  await store.done.noteReconciled('public.late', 0n, never);
  expect(await late()).toMatchObject({ reconcileFailure: null });
  // From then on a schedule counts; nothing was done.
  await take(store, 'other', 'host-1 pid 11');
  await store.done.noteWork('reconcile_from', ['public.other'], never);
  expect((await store.status()).find(({ folder }) => folder === 'other')?.reconciled).toBe(null);
});

test('after two committed runs: the last one, and the sums of both', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  await store.commit(lease, await prepare(store, lease), never);
  const last = await prepare(store, lease);
  await store.commit(lease, last, never);
  await store.release([lease]);
  expect(await store.status()).toMatchObject([
    {
      mark: { floor: '2026-07-01T09:59:50.000001Z', watermark: MARK.watermark, at: '2026-07-01T10:00:00.123456Z' },
      lastRun: { run: last, full: false, rows: 3n, lateRows: 1n, finishedAt: INSTANT },
      lastCheckedAt: INSTANT,
      lease: null,
      raw: { files: 4n, bytes: 402n, rows: 6n },
      unfit: { total: { null: 4 } },
    },
  ]);
});

test('an open run does not show as the last one', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice', 'one', 0);
  await prepare(store, lease);
  expect(await store.status()).toMatchObject([{ lastRun: null, raw: { files: 0n }, lease: { expired: true } }]);
});

test('a failure shows until a run succeeds, with something to export or without', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  const { lease } = await take(store, 'invoice');
  const failure = async () => (await store.status())[0].failure;

  await store.fail(lease, null, { code: 'SOURCE_TIMEOUT', message: 'too slow', hint: 'raise it' });
  const error = { code: 'SOURCE_TIMEOUT', message: 'too slow', hint: 'raise it' };
  expect(await failure()).toEqual({ run: 1n, failedAt: INSTANT, open: false, error });
  await store.saveIdle([{ lease, mark: MARK, columns: null }]);
  expect(await failure()).toBeNull();

  const { run } = await store.plan(lease, PLAN, never);
  await store.fail(lease, run, {
    code: 'VALUE_UNFIT',
    message: 'NaN',
    place: { column: 'total', key: 'invoice_id=7' },
  });
  expect(await failure()).toMatchObject({ run, open: true, error: { column: 'total', key: 'invoice_id=7' } });
  await store.abandon(lease, run, 'cleaned up');
  expect(await failure()).toMatchObject({ run, open: false });
  await store.commit(lease, await prepare(store, lease), never);
  expect(await failure()).toBeNull();
});

test('tables come by name', async () => {
  await using db = await createDatabase();
  await using store = await openAt(db.url);
  for (const folder of ['track', 'album', 'invoice']) await take(store, folder);
  expect((await store.status()).map(({ folder }) => folder)).toEqual(['album', 'invoice', 'track']);
});
