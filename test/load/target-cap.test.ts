import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Target } from '../../src/load/target/target.ts';
import { batchOf, drop, EVENTS, openTarget, originals, type Row, settingsOf } from '../support/load-target.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { never } from '../support/state.ts';

/** The most sessions of ours, and the most transactions that load, at any of many moments. */
async function watch(db: TestDatabase, work: Promise<unknown>): Promise<{ sessions: number; loading: number }> {
  const most = { sessions: 0, loading: 0 };
  let over = false;
  const end = () => {
    over = true;
  };
  work.then(end, end);
  while (!over) {
    const [{ sessions, loading }] = await db.query<{ sessions: number; loading: number }>(
      `select (select count(*)::int from pg_stat_activity where application_name = 'tidemark load' and datname = current_database()) as sessions,
         (select count(*)::int from pg_locks where locktype = 'advisory' and classid = 1953064045
            and database = (select oid from pg_database where datname = current_database())) as loading`,
    );
    most.sessions = Math.max(most.sessions, sessions);
    most.loading = Math.max(most.loading, loading);
    await sleep(3);
  }
  await work;
  return most;
}

/** Claims and loads page after page, as many batches at once as it may have sessions. */
async function loadAll(target: Target, pages: string[][], rows: (key: string) => Row[]): Promise<number> {
  let loaded = 0;
  for (const page of pages) {
    const claimed = await target.claim(
      page.map((key) => drop(key)),
      never,
    );
    const halves = [claimed.filter((_, i) => i % 2 === 0), claimed.filter((_, i) => i % 2 === 1)];
    const outcomes = await Promise.all(halves.map((half) => target.load(batchOf(half, rows), originals, never)));
    loaded += outcomes.flatMap(({ drops }) => drops).filter(({ state }) => state === 'loaded').length;
  }
  return loaded;
}

const PAGES = Array.from({ length: 12 }, (_, p) => Array.from({ length: 10 }, (_, i) => `${p}/${i}`));
const rowsOf = (key: string): Row[] => {
  const [page, place] = key.split('/').map(Number);
  return Array.from({ length: 50 }, (_, i) => [(page * 10 + place) * 50 + i, key, i]);
};

test.each([1, 2, 3])('three processes load everything once over %i connections, never more', async (connections) => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  const settings = settingsOf(db.url, { connections });
  const work = async () => {
    const shares = await Promise.all(
      [0, 1, 2].map(async (n) => {
        await using target = await openTarget(settings, { sessions: 2 });
        // Awaited here: else the target would be closed before.
        return await loadAll(target, [...PAGES.slice(n * 4), ...PAGES.slice(0, n * 4)], rowsOf);
      }),
    );
    expect(shares.reduce((sum, share) => sum + share)).toBe(120);
    // Nobody had to wait for another's end.
    expect(Math.min(...shares)).toBeGreaterThan(0);
  };
  const most = await watch(db, work());
  expect(most.sessions).toBeLessThanOrEqual(connections);
  expect(most.loading).toBeLessThanOrEqual(connections);
  expect(most.loading).toBeGreaterThan(0);
  expect(
    await db.query('select count(*)::int as n, count(distinct id)::int as ids, sum(amount)::int as sum from events'),
  ).toEqual([{ n: 6000, ids: 6000, sum: 120 * 1225 }]);
  expect(
    await db.query(
      `select state, sum(rows_out)::int as out, sum(rows_known)::int as known from tidemark.load_drop group by 1`,
    ),
  ).toEqual([{ state: 'loaded', out: 6000, known: 0 }]);
});

test('who waits for a connection says so, and goes on once there is one', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  const settings = settingsOf(db.url, { connections: 1 });
  const said: (string | null)[] = [];
  let free = () => {};
  const step = (name: string) =>
    name === 'inserted' ? new Promise<void>((resolve) => (free = resolve)) : Promise.resolve();
  await using first = await openTarget(settings, { step });
  const loading = first.load(batchOf(await first.claim([drop('0/0')], never), rowsOf), originals, never);
  await using second = await openTarget(settings, { waits: (reason) => said.push(reason) });
  const claiming = second.claim([drop('0/1')], never);
  await expect.poll(() => said, { timeout: 30_000 }).toEqual(['other processes use all 1 connections to the target']);
  free();
  await loading;
  expect(await claiming).toHaveLength(1);
  expect(said.at(-1)).toBe(null);
});

test('two that change the same rows, in any order of the drops, end without a deadlock', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  const settings = settingsOf(db.url, { onConflict: 'update', connections: 4 });
  const [{ before }] = await db.query<{ before: string }>(
    'select deadlocks as before from pg_stat_database where datname = current_database()',
  );
  await Promise.all(
    [0, 1, 2].map(async (n) => {
      await using target = await openTarget(settings);
      const ids = Array.from({ length: 2000 }, (_, i) => (n === 1 ? 2000 - i : (i * 7) % 2001));
      for (let round = 0; round < 4; round++) {
        const batch = batchOf(await target.claim([drop(`${n}-${round}`)], never), () =>
          ids.map((id) => [id, `${n} ${round}`, id]),
        );
        expect((await target.load(batch, originals, never)).drops).toMatchObject([{ state: 'loaded' }]);
      }
    }),
  );
  await db.query('select pg_stat_force_next_flush()');
  const [{ after }] = await db.query<{ after: string }>(
    'select deadlocks as after from pg_stat_database where datname = current_database()',
  );
  expect(after).toBe(before);
});
