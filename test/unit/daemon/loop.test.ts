import { describe, expect, test } from 'vitest';
import type { Work } from '../../../src/daemon/board.ts';
import { parseSchedule } from '../../../src/daemon/cron.ts';
import { TidemarkError } from '../../../src/model/error.ts';
import { MINUTE, SECOND, world } from './loop-world.ts';

const work = (name: string): Work => ({ kind: 'export', name });

test('each table is begun once at each of its times', async () => {
  const { clock, begun } = world({ tables: ['a', 'b'], does: async () => 'nothing' });
  await clock.runTo(103 * MINUTE);
  expect(begun.map(({ name, at }) => [name, at / MINUTE])).toEqual([
    ['a', 101],
    ['b', 101],
    ['a', 102],
    ['b', 102],
    ['a', 103],
    ['b', 103],
  ]);
});

test('a table that takes an hour is not begun twice, and then once for all that it missed', async () => {
  const { clock, begun } = world({
    tables: ['huge'],
    batches: 2,
    does: async (_, signal) => {
      await clock.sleep(begun.length === 1 ? 60 * MINUTE : 0, signal);
      return 'done';
    },
  });
  await clock.runTo(163 * MINUTE);
  const half = 0.5 / 60;
  expect(begun.map(({ at }) => at / MINUTE)).toEqual([101, 161 + half, 162, 163]);
});

test('tables that become due while a batch is under way go in another', async () => {
  const { clock, agenda, begun } = world({
    tables: ['huge'],
    batches: 2,
    does: async (name, signal) => {
      if (name === 'huge') await clock.sleep(60 * MINUTE, signal);
      return 'done';
    },
  });
  await clock.runTo(101 * MINUTE);
  const schedule = parseSchedule('@every 1m', 'UTC')!;
  const planned = ['huge', 'new'].map((name) => ({ name, schedule, lastAt: 101 * MINUTE }));
  agenda.plan('export', planned, clock.now());
  await clock.runTo(105 * MINUTE);
  expect(begun.filter(({ name }) => name === 'new').map(({ at }) => at / MINUTE)).toEqual([102, 103, 104, 105]);
});

test('no more batches at once than the lane allows: what is due waits for the end of one', async () => {
  const { clock, agenda, begun } = world({
    tables: ['a'],
    batches: 1,
    does: async (_, signal) => {
      await clock.sleep(150 * SECOND, signal);
      return 'done';
    },
  });
  await clock.runTo(101 * MINUTE);
  const schedule = parseSchedule('@every 1m', 'UTC')!;
  const planned = ['a', 'b'].map((name) => ({ name, schedule, lastAt: 100 * MINUTE }));
  agenda.plan('export', planned, clock.now());
  await clock.runTo(104 * MINUTE);
  expect(begun.map(({ name, at }) => [name, at / SECOND - 6_060])).toEqual([
    ['a', 0],
    ['b', 150],
  ]);
});

test('a batch counts until it has returned; then what waits for it begins', async () => {
  const { clock, loop, begun } = world({ tables: ['a', 'b'], does: async () => 'nothing', lingers: 7 * SECOND });
  loop.ask(work('a'));
  await clock.runTo(100 * MINUTE + SECOND);
  loop.ask(work('b'));
  await clock.runTo(100 * MINUTE + 20 * SECOND);
  expect(begun.map(({ name, at }) => [name, at / SECOND - 6_000])).toEqual([
    ['a', 0],
    ['b', 7],
  ]);
});

test('a failing table is tried again by itself; the log and the page say when, the others go on', async () => {
  const bad = new TidemarkError('VALUE_UNFIT', 'no place for it');
  const { clock, names, board, messages, lines } = world({
    tables: ['bad', 'good'],
    does: async (name) => (name === 'bad' ? bad : 'done'),
  });
  await clock.runTo(101 * MINUTE + 35 * SECOND);
  expect(names(101 * MINUTE, 101 * MINUTE + 35 * SECOND)).toEqual(['bad', 'good', 'bad', 'bad']);
  expect(board.work(work('bad'))).toMatchObject({
    running: null,
    trouble: { times: 3, since: 101 * MINUTE, slow: false, error: { code: 'VALUE_UNFIT' } },
  });
  expect(board.work(work('good'))).toMatchObject({ trouble: null, nextAt: 102 * MINUTE });
  expect(messages()).toEqual(['failed', 'exported', 'failed', 'failed']);
  expect(lines.find(({ msg }) => msg === 'failed')).toMatchObject({ table: 'bad', times: 1, retry_in_seconds: 10 });
  expect(board.ended().map(({ name, outcome }) => [name, outcome])).toEqual([
    ['bad', 'failed'],
    ['bad', 'failed'],
    ['good', 'done'],
    ['bad', 'failed'],
  ]);
});

test('what fails for hours is a line less and less often', async () => {
  const { clock, lines } = world({ tables: ['a'], does: async () => new TidemarkError('LAKE_FAILED', '503') });
  await clock.runTo(140 * MINUTE);
  const failures = lines.filter(({ msg }) => msg === 'failed');
  expect(failures.length).toBeGreaterThan(38);
  const told = failures.filter(({ level }) => level === 40).map(({ times }) => times);
  expect(told).toEqual([1, 2, 3, 4, 5, 8, 16, 32]);
});

test('an idle day: nothing in the log, nothing on the page’s list, and no more to remember than in the beginning', async () => {
  const { clock, begun, messages, board } = world({ tables: ['a', 'b', 'c'], does: async () => 'nothing' });
  await clock.runTo(100 * MINUTE + 24 * 60 * MINUTE);
  expect(begun).toHaveLength(3 * 24 * 60);
  expect(messages()).toEqual([]);
  expect(board.ended()).toEqual([]);
  expect(clock.sleepers()).toBe(1);
});

describe('the source is away', () => {
  const away = new TidemarkError('SOURCE_UNREACHABLE', 'no answer');

  test('said once, asked alone, caught up once it is back', async () => {
    const { clock, health, begun, board, messages } = world({
      tables: ['a', 'b', 'c'],
      does: async () => (health.source ? 'done' : away),
    });
    await clock.runTo(101 * MINUTE + SECOND);
    health.source = false;
    const before = begun.length;
    await clock.runTo(150 * MINUTE);
    // The first of the batch meets it; the others are not begun, and neither is anything for three quarters of an hour.
    expect(begun.slice(before).map(({ name, at }) => [name, at / MINUTE])).toEqual([['a', 102]]);
    expect(board.away().get('source')).toMatchObject({ since: 102 * MINUTE, error: { code: 'SOURCE_UNREACHABLE' } });
    expect(board.works().every(({ trouble, running }) => trouble === null && running === null)).toBe(true);
    expect(messages().slice(3)).toEqual(['away; nothing that needs it is begun until it is back']);
    health.source = true;
    let backAt = 0;
    board.subscribe(({ event }) => {
      if (event === 'away') backAt = clock.now();
    });
    await clock.runTo(151 * MINUTE - SECOND);
    expect(begun.slice(before + 1).map(({ name, at }) => [name, at])).toEqual([
      ['a', backAt],
      ['b', backAt],
      ['c', backAt],
    ]);
    expect(board.away().size).toBe(0);
    expect(messages().slice(4, 5)).toEqual(['back']);
  });
});

test('two that meet it at the same time are one', async () => {
  const { clock, services, messages, board } = world({ tables: [], does: async () => 'done' });
  const away = new TidemarkError('SOURCE_UNREACHABLE', 'no answer');
  expect([services.took(away), services.took(away)]).toEqual([true, true]);
  expect(services.took(new TidemarkError('VALUE_UNFIT', 'a row’s'))).toBe(false);
  await clock.runTo(102 * MINUTE);
  expect(messages()).toHaveLength(2);
  expect(board.away().size).toBe(0);
});

test('a source that answers, and yet cannot be used, is said less and less often', async () => {
  const away = new TidemarkError('SOURCE_VERSION', 'too old');
  const { clock, messages } = world({ tables: ['a'], does: async () => away });
  await clock.runTo(111 * MINUTE);
  const said = messages().filter((msg) => String(msg).startsWith('away'));
  expect(said.length).toBeGreaterThan(5);
  expect(said.length).toBeLessThan(30);
});

describe('whoever asks', () => {
  test('gets it at once, and sees it on the page though there was nothing to do', async () => {
    const { clock, loop, begun, board } = world({ tables: ['a', 'b'], does: async () => 'nothing' });
    await clock.runTo(100 * MINUTE + 5 * SECOND);
    expect(loop.ask(work('b'))).toBe('queued');
    await clock.runTo(100 * MINUTE + 6 * SECOND);
    expect(begun).toMatchObject([{ name: 'b', at: 100 * MINUTE + 5 * SECOND }]);
    expect(board.ended()).toMatchObject([{ name: 'b', outcome: 'nothing' }]);
    expect(loop.ask(work('z'))).toBe('unknown');
  });

  test('while it is under way nothing is begun', async () => {
    const { clock, loop, begun } = world({
      tables: ['a'],
      does: async (_, signal) => {
        await clock.sleep(30 * SECOND, signal);
        return 'done';
      },
    });
    await clock.runTo(101 * MINUTE + SECOND);
    expect(loop.ask(work('a'))).toBe('running');
    await clock.runTo(101 * MINUTE + 40 * SECOND);
    expect(begun).toHaveLength(1);
  });
});

test('stopping waits for what is under way, and begins nothing more', async () => {
  let ended = false;
  const { clock, stop, ran, begun, board } = world({
    tables: ['a', 'b'],
    does: async (_, signal) => {
      await clock.sleep(10 * MINUTE, signal);
      // Cleaning up takes a while.
      await clock.sleep(2 * SECOND, new AbortController().signal);
      ended = true;
      return 'done';
    },
  });
  await clock.runTo(101 * MINUTE + SECOND);
  stop.abort(new DOMException('stopped', 'AbortError'));
  const early = await Promise.race([ran.then(() => 'returned'), clock.runTo(clock.now() + SECOND).then(() => 'waits')]);
  expect([early, ended]).toEqual(['waits', false]);
  await clock.runTo(clock.now() + 5 * SECOND);
  await ran;
  expect(ended).toBe(true);
  expect(begun).toHaveLength(1);
  expect(board.work(work('a'))?.running).toBeNull();
});

test('work that tells nothing is due again a second later, not at once', async () => {
  let times = 0;
  const { clock } = world({
    tables: ['a'],
    does: () => {
      times++;
      throw Object.assign(new DOMException('nobody knows', 'AbortError'));
    },
  });
  await clock.runTo(101 * MINUTE + 9 * SECOND);
  expect(times).toBe(1);
});

test('a lane that throws fails what it did not tell, each with its own retry', async () => {
  const { clock, board } = world({
    tables: ['a', 'b'],
    does: async (name) => {
      if (name === 'b') throw new TidemarkError('FOLDER_CLASH', 'taken');
      return 'done';
    },
  });
  await clock.runTo(101 * MINUTE + SECOND);
  expect(board.work(work('a'))?.trouble).toBeNull();
  expect(board.work(work('b'))?.trouble).toMatchObject({ times: 1, error: { code: 'FOLDER_CLASH' } });
});
