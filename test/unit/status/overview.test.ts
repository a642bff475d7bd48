import { expect, test } from 'vitest';
import { Board, type WorkState } from '../../../src/daemon/board.ts';
import type { TableStatus } from '../../../src/state/tables.ts';
import { headline } from '../../../src/status/headline.ts';
import { Live, type Numbered, update } from '../../../src/status/live.ts';
import { type Overview, type OverviewInput, overviewOf } from '../../../src/status/overview.ts';

const NOW = Date.parse('2026-07-01T10:00:00Z');
const iso = (at: number) => new Date(at).toISOString().replace('Z', '000Z');

function table(name: string, more: Partial<TableStatus> = {}): TableStatus {
  return {
    table: { schema: 'public', table: name },
    folder: name,
    mark: { floor: null, watermark: '2026-07-01 09:59:00+00', at: iso(NOW - 5_000), doubt: null },
    lastRun: { run: 7n, full: false, rows: 12n, lateRows: 1n, finishedAt: iso(NOW - 4_000) },
    failure: null,
    lastCheckedAt: iso(NOW - 4_000),
    lease: null,
    raw: { files: 1n, bytes: 100n, rows: 12n },
    unfit: {},
    chunks: null,
    paused: null,
    broken: [],
    repeats: null,
    keyed: true,
    staged: null,
    reconciled: null,
    reconcileFailure: null,
    ...more,
  };
}

function work(name: string, more: Partial<WorkState> = {}): WorkState {
  return { kind: 'export', name: `public.${name}`, running: null, nextAt: NOW + 10_000, trouble: null, ...more };
}

const trouble = (since: number) => ({
  times: 3,
  since,
  retryAt: NOW + 60_000,
  slow: false,
  error: { code: 'VALUE_UNFIT', message: 'NaN', hint: null },
});

function overview(more: Partial<OverviewInput> = {}): Overview {
  const nothing = {
    startedAt: NOW - 60_000,
    tables: [],
    works: [],
    away: new Map(),
    ended: [],
    loads: [],
    holder: 'me pid 1',
  };
  return overviewOf({ ...nothing, now: NOW, ...more });
}

test('who fails for longest is first, then who is late, then those with warnings, then all others by name', () => {
  const { tables } = overview({
    tables: [
      table('a'),
      table('b', { keyed: true, broken: [{ column: 'x', rule: 'not_null', count: 3, key: null, value: null }] }),
      table('c'),
      table('d'),
      table('e'),
      table('f', { paused: { by: 'ann', at: iso(NOW) } }),
    ],
    works: [
      work('a', { running: { since: NOW - 1_000, rows: 5, bytes: 50 } }),
      work('c', { trouble: trouble(NOW - 1_000) }),
      work('d', { trouble: trouble(NOW - 9_000) }),
      work('e', { nextAt: NOW - 61_000 }),
      work('f', { nextAt: NOW - 61_000 }),
    ],
  });
  expect(tables.map(({ name, rank }) => [name, rank])).toEqual([
    ['public.d', 'failing'],
    ['public.c', 'failing'],
    ['public.e', 'late'],
    ['public.b', 'warning'],
    ['public.a', 'running'],
    ['public.f', 'paused'],
  ]);
});

test('a failure that another process met is told too', () => {
  const failure = {
    run: 3n,
    failedAt: iso(NOW - 60_000),
    open: false,
    error: { code: 'VALUE_UNFIT', message: 'NaN has no place', column: 'total', key: 'id=7' },
  };
  const [line] = overview({ tables: [table('a', { failure })], works: [work('a')] }).tables;
  const error = { code: 'VALUE_UNFIT', message: 'NaN has no place (column total, key id=7)', hint: null };
  expect(line).toMatchObject({
    rank: 'failing',
    failing: [{ kind: 'export', since: NOW - 60_000, times: null, error }],
  });
});

test('a failure by a server that is away is said once, and not of the table that met it', () => {
  const error = { code: 'LAKE_UNREACHABLE', message: 'no connection' };
  const failure = { run: 3n, failedAt: iso(NOW - 60_000), open: false, error };
  const tables = [table('a', { failure })];
  const away = new Map([['lake', { since: NOW, error: { ...error, hint: null } }]]);
  expect(headline(overview({ tables, works: [work('a')], away })).text).toBe('Lake is away');
  expect(headline(overview({ tables, works: [work('a')] })).text).toBe('1 table failing');
});

test('a table that was never exported is there by what the daemon knows', () => {
  const [line] = overview({ works: [work('new')] }).tables;
  expect(line).toMatchObject({ name: 'public.new', folder: null, seenAt: null, nextAt: NOW + 10_000 });
});

test('a lease is told when somebody else has it', () => {
  const lease = { holder: 'laptop pid 7', acquiredAt: iso(NOW), expiresAt: iso(NOW + 60_000), expired: false };
  const held = (more: Partial<typeof lease>) =>
    overview({ tables: [table('a', { lease: { ...lease, ...more } })] }).tables[0];
  expect(held({})).toMatchObject({ rank: 'held', heldBy: 'laptop pid 7' });
  expect(held({ holder: 'me pid 1' })).toMatchObject({ rank: 'well', heldBy: null });
  expect(held({ expired: true })).toMatchObject({ rank: 'well', heldBy: null });
});

test('the headline says what is wrong, the worst first', () => {
  expect(headline(overview({ tables: [table('a')], works: [work('a')] })).text).toBe('All well');
  expect(headline(overview()).text).toBe('Nothing exported yet');
  expect(headline(overview({ tables: null })).text).toBe('Starting');
  const counts = { done: 3, rejects: 2, dead: 1 };
  const dead = overview({ loads: [{ name: 'events', counts }] });
  expect(dead.loads[0].rank).toBe('warning');
  expect(headline(dead)).toMatchObject({ text: '1 dead drop', rank: 'late' });
  expect(headline(overview({ loads: [{ name: 'events', counts: { ...counts, dead: 0 } }] })).text).toBe('All well');
  const bad = overview({
    tables: [table('a'), table('b')],
    works: [work('a', { trouble: trouble(NOW) }), work('b', { nextAt: NOW - 100_000 })],
    away: new Map(
      // A load says it in its own line.
      ['lake', 'load events'].map((service) => [
        service,
        { since: NOW, error: { code: 'LAKE_UNREACHABLE', message: 'x', hint: null } },
      ]),
    ),
  });
  expect(headline(bad)).toMatchObject({ text: 'Lake is away, 1 table failing, 1 late', rank: 'failing' });
});

test('an update holds what changed, and the order only when that changed', () => {
  const before = overview({ tables: [table('a'), table('b')], works: [work('a'), work('b')] });
  const same = update(before, { seq: 2, overview: before }, NOW + 1_000);
  expect(same).toMatchObject({ parts: {}, lines: {} });
  expect(same).not.toHaveProperty('order');
  const after = overview({
    tables: [table('a'), table('b')],
    works: [work('a'), work('b', { trouble: trouble(NOW) })],
  });
  const changed = update(before, { seq: 2, overview: after }, NOW + 1_000);
  expect(Object.keys(changed.lines)).toEqual(['t-b']);
  expect(Object.keys(changed.parts)).toEqual(['head']);
  expect(changed.order).toEqual(['t-b', 't-a']);
});

test('viewers that show the newest are sent nothing, others the whole, and a slow one no queue', async () => {
  const board = new Board(NOW);
  let numbered: Numbered = { seq: 5, overview: overview({ tables: [table('a')], works: [work('a')] }) };
  const live = new Live(
    board,
    async () => numbered,
    () => NOW,
  );
  const sent: Record<string, { event: string; data: string }[]> = { upToDate: [], old: [], slow: [] };
  const keep = (name: string) => async (event: { event: string; data: string }) => {
    sent[name].push(event);
  };
  live.join({ send: keep('upToDate') }, 5);
  live.join({ send: keep('old') }, 4);
  live.join(
    {
      send: (event) => {
        sent.slow.push(event);
        return new Promise(() => {});
      },
    },
    4,
  );
  await expect.poll(() => sent.old.length, { timeout: 5_000 }).toBe(1);
  expect(JSON.parse(sent.old[0].data)).toMatchObject({ seq: 5, order: ['t-a'] });
  for (const seq of [6, 7]) {
    numbered = { seq, overview: overview({ tables: [table('a')], works: [work('a', { nextAt: NOW + seq })] }) };
    board.set({ kind: 'export', name: 'public.a' }, {});
    await expect.poll(() => sent.old.length, { timeout: 5_000 }).toBe(seq - 4);
  }
  expect(sent.upToDate.map(({ data }) => Object.keys(JSON.parse(data).lines))).toEqual([['t-a'], ['t-a']]);
  expect(sent.slow).toHaveLength(1);
  live.close();
});
