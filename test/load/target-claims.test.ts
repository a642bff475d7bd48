import { expect, test } from 'vitest';
import { batchOf, drop, EVENTS, openTarget, originals, settingsOf } from '../support/load-target.ts';
import { createDatabase } from '../support/postgres.ts';
import { never } from '../support/state.ts';

const keys = (drops: { key: string }[]) => drops.map(({ key }) => key).sort();
const DAY = ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => drop(key));

test('several processes that claim the same drops at once get each of them once', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  const settings = settingsOf(db.url, { connections: 8 });
  await using one = await openTarget(settings);
  await using two = await openTarget(settings);
  await using three = await openTarget(settings);
  const pages = Array.from({ length: 5 }, (_, p) => Array.from({ length: 40 }, (_, i) => drop(`${p}/${i}`)));
  const got = await Promise.all(
    [one, two, three].map(async (target) => (await Promise.all(pages.map((page) => target.claim(page, never)))).flat()),
  );
  expect(keys(got.flat())).toEqual(keys(pages.flat()));
});

test('the drops of a process that ended are free at once, those of one that died after a while, in the middle never', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  const settings = settingsOf(db.url);
  {
    await using ended = await openTarget(settings);
    expect(await ended.claim(DAY, never)).toHaveLength(6);
  }
  await using one = await openTarget(settings);
  await using two = await openTarget(settings);
  expect(await one.claim(DAY, never)).toHaveLength(6);
  expect(await two.claim(DAY, never)).toEqual([]);
  await db.query(`update tidemark.load_worker set expires_at = clock_timestamp() - interval '1 microsecond'`);
  expect(await two.claim([drop('a'), drop('b')], never)).toMatchObject([{ key: 'a', attempt: 3 }, { key: 'b' }]);
});

test('of drops whose claim another took over nothing is committed; the others of the batch are', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  const settings = settingsOf(db.url);
  await using slow = await openTarget(settings);
  await using quick = await openTarget(settings);
  const claimed = await slow.claim([drop('a'), drop('b')], never);
  await db.query(`update tidemark.load_worker set expires_at = clock_timestamp()`);
  const over = await quick.claim([drop('a')], never);
  const outcome = await slow.load(
    batchOf(claimed, (key) => [[key === 'a' ? 1 : 2, 'slow', 1]]),
    originals,
    never,
  );
  expect(outcome.drops.map(({ state }) => state)).toEqual(['lost', 'loaded']);
  expect(
    (
      await quick.load(
        batchOf(over, () => [[1, 'quick', 1]]),
        originals,
        never,
      )
    ).drops,
  ).toMatchObject([{ state: 'loaded' }]);
  expect(await db.query('select name from events order by id')).toEqual([{ name: 'quick' }, { name: 'slow' }]);
});

test('a drop that is being loaded is not taken over, however late its process is', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  const settings = settingsOf(db.url);
  await using other = await openTarget(settings);
  let claimedMeanwhile: unknown;
  const step = async (name: string) => {
    if (name !== 'inserted') return;
    await db.query(`update tidemark.load_worker set expires_at = clock_timestamp()`);
    claimedMeanwhile = await other.claim(DAY, never);
  };
  await using slow = await openTarget(settings, { step });
  await slow.load(
    batchOf(await slow.claim(DAY, never), (key) => [[key.charCodeAt(0), key, 1]]),
    originals,
    never,
  );
  expect(claimedMeanwhile).toEqual([]);
  expect(await db.query(`select distinct state, attempt from tidemark.load_drop`)).toEqual([
    { state: 'loaded', attempt: 1 },
  ]);
});

test('claims that are given back are anybody’s; the same ledger keeps loads of other names apart', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  await using one = await openTarget(settingsOf(db.url));
  await using two = await openTarget(settingsOf(db.url));
  await using other = await openTarget(settingsOf(db.url, { name: 'other' }));
  const claimed = await one.claim(DAY, never);
  await one.release(claimed.slice(0, 2));
  expect(keys(await two.claim(DAY, never))).toEqual(keys(claimed.slice(0, 2)));
  expect(await other.claim(DAY, never)).toHaveLength(6);
});

test('dead drops are claimed again once for a replay', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  {
    await using target = await openTarget(settingsOf(db.url));
    const claimed = await target.claim(DAY, never);
    await target.load(
      claimed.map((each, number) => ({ drop: each, number, read: { state: 'dead', reason: 'cut' } })),
      originals,
      never,
    );
    expect(await target.claimDead(10, never)).toEqual([]);
  }
  await using target = await openTarget(settingsOf(db.url));
  const first = await target.claimDead(4, never);
  expect(first).toMatchObject(Array(4).fill({ attempt: 2, etag: 'e1' }));
  await target.load(
    first.map((each, number) => ({ drop: each, number, read: { state: 'dead', reason: 'still cut' } })),
    originals,
    never,
  );
  const second = await target.claimDead(4, never);
  expect(keys([...first, ...second])).toEqual(keys(DAY));
  await target.load(
    batchOf(second, (key) => [[key.charCodeAt(0), key, 1]]),
    originals,
    never,
  );
  expect(await target.claimDead(4, never)).toEqual([]);
  expect(await db.query('select state, count(*)::int as n from tidemark.load_drop group by 1 order by 1')).toEqual([
    { state: 'dead', n: 4 },
    { state: 'loaded', n: 2 },
  ]);
});

test('how far the drops of a prefix are done: beyond what is unfinished, or done only now, a listing begins', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  await using target = await openTarget(settingsOf(db.url));
  const done = (ms: number) => target.doneThrough('2026/', ms, never);
  expect(await done(0)).toBeNull();
  const claimed = await target.claim(
    ['1999/z', '2026/a', '2026/b', '2026/c', '2027/a'].map((key) => drop(key)),
    never,
  );
  const load = (...names: string[]) =>
    target.load(
      batchOf(
        claimed.filter(({ key }) => names.includes(key)),
        () => [],
      ),
      originals,
      never,
    );
  await load('1999/z', '2026/c', '2027/a');
  expect(await done(0)).toBeNull();
  await load('2026/a');
  expect(await done(0)).toBe('2026/a');
  await load('2026/b');
  expect(await done(0)).toBe('2026/c');
  expect(await done(3_600_000)).toBeNull();
});

test('claims come in the order of the page, overwritten drops among new ones', async () => {
  await using db = await createDatabase();
  await db.query(EVENTS);
  await using target = await openTarget(settingsOf(db.url));
  const first = await target.claim([drop('b')], never);
  await target.load(
    batchOf(first, () => []),
    originals,
    never,
  );
  const page = [drop('a'), { ...drop('b'), etag: 'other' }, drop('c')];
  expect((await target.claim(page, never)).map(({ key }) => key)).toEqual(['a', 'b', 'c']);
});
