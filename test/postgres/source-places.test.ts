/** Connections to the source, counted over processes: here each Source with places of its own stands for one. */

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { connect } from '../../src/postgres/connect.ts';
import { Source } from '../../src/postgres/source.ts';
import { SourcePlaces } from '../../src/state/source-places.ts';
import type { StateStore } from '../../src/state/state-store.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { MINUTE, never, openAt } from '../support/state.ts';

let db: TestDatabase;
let state: StateStore;
const sources: Source[] = [];

beforeAll(async () => {
  db = await createDatabase();
  state = await openAt(db.url);
});

afterEach(async () => {
  for (const source of sources.splice(0)) await source[Symbol.asyncDispose]();
  expect(await slots()).toEqual([]);
});

afterAll(async () => {
  await state[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

const slots = () =>
  db.query<{ slot: number; holder: string }>('select slot, holder from tidemark.source_slot order by slot');

function openSource(
  holder: string,
  {
    max = 2,
    most = 2,
    ttlMs = MINUTE,
    url = db.url,
    warn = () => {},
    patienceMs = null as number | null,
    store = state as ConstructorParameters<typeof SourcePlaces>[0],
  } = {},
): Source {
  const source = new Source({
    connect: (signal) => connect({ role: 'source', url }, signal),
    max,
    places: new SourcePlaces(store, { source: 'h:5432/d', most, holder, ttlMs, patienceMs }, { info() {}, warn }),
    statementTimeoutMs: 10_000,
  });
  sources.push(source);
  return source;
}

/** A use() that goes on until it is told to end. */
async function hold(source: Source): Promise<() => Promise<void>> {
  const [began, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const ended = source.use(async () => {
    began.resolve();
    await end.promise;
  }, never);
  await began.promise;
  return () => {
    end.resolve();
    return ended;
  };
}

test('a slot for each open connection, given back once it is closed', async () => {
  const source = openSource('one');
  const ends = [await hold(source), await hold(source)];
  expect(await slots()).toEqual([
    { slot: 1, holder: 'one' },
    { slot: 2, holder: 'one' },
  ]);
  for (const end of ends) await end();
  expect(await slots()).toHaveLength(2);
  await source[Symbol.asyncDispose]();
  expect(await slots()).toEqual([]);
});

test('a connection that nobody uses any more goes to the process that waits', async () => {
  const [one, two] = [openSource('one', { most: 1 }), openSource('two', { most: 1 })];
  expect(await one.use(async () => 1, never)).toBe(1);
  expect(await two.useIfFree(async () => 2, never)).toBeNull();
  expect(await two.use(slots, never)).toEqual([{ slot: 1, holder: 'two' }]);
  expect(one.opened).toBe(0);
});

test('a process that has work without end gives way to one that has no connection, and comes back', async () => {
  const [one, two] = [openSource('one', { most: 1, ttlMs: 300 }), openSource('two', { most: 1, ttlMs: 300 })];
  let over = false;
  let uses = 0;
  const busy = async () => {
    while (!over) {
      await one.use((client) => client.query('select pg_sleep(0.01)'), never);
      uses++;
    }
  };
  const working = busy();
  expect(await two.use(slots, never)).toEqual([{ slot: 1, holder: 'two' }]);
  const before = uses;
  await vi.waitFor(() => expect(uses).toBeGreaterThan(before), 20_000);
  over = true;
  await working;
});

test('patience has an end where it should: the error says who holds them', async () => {
  const [one, two] = [openSource('one', { most: 1 }), openSource('two', { most: 1, patienceMs: 10 })];
  const end = await hold(one);
  await expect(two.use(slots, never)).rejects.toMatchObject({
    code: 'CONNECTIONS_HELD',
    message: expect.stringContaining('one holds 1 of 1'),
  });
  await end();
  expect(await one.use(async () => 'still there', never)).toBe('still there');
});

test('with fewer slots than readers, the readers of a process take turns', async () => {
  const source = openSource('one', { max: 3, most: 1 });
  const done = await Promise.all([1, 2, 3, 4].map((n) => source.use(async () => n, never)));
  expect(done).toEqual([1, 2, 3, 4]);
  expect(source.opened).toBe(1);
});

test('what could not connect, or broke off, gives its slot back', async () => {
  const nowhere = openSource('nowhere', { url: 'postgres://localhost:1/x' });
  await expect(nowhere.use(async () => 1, never)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  expect(await slots()).toEqual([]);
  const broken = openSource('broken');
  await expect(
    broken.use((client) => client.query('select pg_terminate_backend(pg_backend_pid())'), never),
  ).rejects.toThrow();
  expect(await slots()).toEqual([]);
});

test('closed right after a signal broke its work off, a source has given its slots back', async () => {
  // A store that takes its time: it is closed next, and what is not given back by then counts until it expires.
  const slow = {
    takeSlot: state.takeSlot.bind(state),
    renewSlots: state.renewSlots.bind(state),
    giveSlots: async (claims: string[]) => {
      await delay(200);
      return state.giveSlots(claims);
    },
  };
  const source = openSource('one', { store: slow });
  const stop = new AbortController();
  const working = [1, 2].map(() => {
    const began = Promise.withResolvers<void>();
    const ended = source.use((client) => {
      began.resolve();
      return client.query('select pg_sleep(60)');
    }, stop.signal);
    return { began: began.promise, ended: ended.catch(String) };
  });
  for (const { began } of working) await began;
  expect(await slots()).toHaveLength(2);
  stop.abort();
  for (const { ended } of working) expect(await ended).toContain('AbortError');
  await source[Symbol.asyncDispose]();
  expect(await slots()).toEqual([]);
});

test('slots are renewed; one that was lost is closed after its use, and not used again', async () => {
  const lost = Promise.withResolvers<void>();
  const source = openSource('one', { max: 1, most: 1, ttlMs: 300, warn: lost.resolve });
  const end = await hold(source);
  const expiry = async () =>
    (await db.query<{ at: string }>('select expires_at::text as at from tidemark.source_slot'))[0].at;
  const first = await expiry();
  while ((await expiry()) === first);
  await db.query(
    `update tidemark.source_slot set holder = 'two', claim = gen_random_uuid(), expires_at = now() + interval '1 hour'`,
  );
  await lost.promise;
  await end();
  expect(source.opened).toBe(0);
  expect(await slots()).toEqual([{ slot: 1, holder: 'two' }]);
  await db.query('delete from tidemark.source_slot');
});

test('a call that is repeated with its claim has its slot once; expired ones are free', async () => {
  const claim = { source: 'h:5432/d', most: 2, holder: 'one', ttlMs: MINUTE, id: randomUUID(), urgent: false };
  expect([await state.takeSlot(claim, never), await state.takeSlot(claim, never)]).toEqual([null, null]);
  expect(await slots()).toHaveLength(1);
  expect(await state.takeSlot({ ...claim, holder: 'two', id: randomUUID() }, never)).toBeNull();
  const third = { ...claim, holder: 'three', id: randomUUID() };
  expect(await state.takeSlot(third, never)).toEqual([
    { holder: 'one', slots: 1 },
    { holder: 'two', slots: 1 },
  ]);
  expect(await state.takeSlot({ ...third, source: 'another:5432/d' }, never)).toBeNull();
  await db.query(`update tidemark.source_slot set expires_at = now() where holder = 'one'`);
  expect(await state.takeSlot({ ...third, id: randomUUID() }, never)).toBeNull();
  expect(await state.renewSlots([claim.id], MINUTE)).toEqual({ lost: [claim.id], wanted: false });
  await db.query('delete from tidemark.source_slot');
});

test('ten that ask at once get as many as there are', async () => {
  const stores = await Promise.all(Array.from({ length: 10 }, () => openAt(db.url)));
  const got = await Promise.all(
    stores.map((store, i) =>
      store.takeSlot(
        { source: 'h:5432/d', most: 4, holder: `p${i}`, ttlMs: MINUTE, id: randomUUID(), urgent: false },
        never,
      ),
    ),
  );
  for (const store of stores) await store[Symbol.asyncDispose]();
  expect(got.filter((holders) => holders === null)).toHaveLength(4);
  expect((await slots()).map(({ slot }) => slot)).toEqual([1, 2, 3, 4]);
  await db.query('delete from tidemark.source_slot');
});
