import { describe, expect, test } from 'vitest';
import { fixedParts } from '../../../src/config/fixed-parts.ts';
import { parseConfig } from '../../../src/config/load-config.ts';
import { askAgainAfter, retryAfter } from '../../../src/daemon/backoff.ts';
import { parseSchedule } from '../../../src/daemon/cron.ts';
import { checkedSince } from '../../../src/daemon/export-lane.ts';
import { jittered, jitterMs } from '../../../src/daemon/jitter.ts';
import { Waiting } from '../../../src/daemon/waiting.ts';

describe('backoff', () => {
  test('a tenth more or less, so that what failed together does not come back together', () => {
    expect([0, 0.5, 0.999].map((random) => retryAfter(1, 'VALUE_UNFIT', random).ms)).toEqual([9_000, 10_000, 10_998]);
  });

  test.each(['LAKE_FAILED', 'LAKE_FULL'] as const)('%s makes nothing slow, for what is to blame comes back', (code) => {
    expect([1, 3, 5, 100].map((times) => retryAfter(times, code, 0.5))).toEqual(
      [10_000, 40_000, 60_000, 60_000].map((ms) => ({ ms, slow: false })),
    );
  });

  test('a reconciliation that somebody has to allow reads no table again and again', () => {
    expect(retryAfter(1, 'RECONCILE_MANY', 0.5)).toEqual({ ms: 3_600_000, slow: true });
  });

  test('a server that is away is asked every half minute at least', () => {
    expect([1, 2, 3, 6, 1_000].map((times) => askAgainAfter(times, 0.5))).toEqual([
      1_000, 2_000, 4_000, 30_000, 30_000,
    ]);
  });
});

describe('jitter', () => {
  const names = Array.from({ length: 1_000 }, (_, i) => `public.table_${i}`);

  test('spreads tables evenly over a few moments, up to a tenth of the time in between', () => {
    const by = Map.groupBy(names, (name) => jitterMs(name, 60_000));
    expect([...by.keys()].sort((a, b) => a - b)).toEqual([0, 1_500, 3_000, 4_500]);
    for (const group of by.values()) expect(group.length).toBeGreaterThan(200);
  });

  test('is half a minute at most, and none where half a second would already matter', () => {
    expect(Math.max(...names.map((name) => jitterMs(name, 86_400_000)))).toBe(22_500);
    expect(names.every((name) => jitterMs(name, 5_000) === 0)).toBe(true);
  });

  test('a delayed schedule still has each of its times once', () => {
    const schedule = parseSchedule('*/5 * * * *', 'UTC')!;
    const name = names.find((each) => jitterMs(`export ${each}`, 300_000) === 15_000)!;
    const late = jittered(schedule, `export ${name}`, 0);
    expect(late.next(0)).toBe(15_000);
    expect(late.next(15_000)).toBe(315_000);
    expect(late.next(314_999)).toBe(315_000);
  });
});

describe('a compaction follows an export', () => {
  const after = { rows: 100, ms: 60_000 };

  test('at once when so many rows wait', () => {
    const waiting = new Waiting();
    expect(waiting.add('a', 60n, after, 1_000)).toBe(61_000);
    expect(waiting.add('b', 60n, after, 1_500)).toBe(61_500);
    expect(waiting.add('a', 40n, after, 2_000)).toBe(2_000);
  });

  test('counted from the oldest row that waits, and anew once a compaction has begun', () => {
    const waiting = new Waiting();
    waiting.add('a', 1n, after, 1_000);
    expect(waiting.add('a', 1n, after, 50_000)).toBe(61_000);
    waiting.taken('a');
    expect(waiting.add('a', 99n, after, 70_000)).toBe(130_000);
  });

  test('never, where only the clock counts; always, with a time of 0', () => {
    expect(new Waiting().add('a', 1_000_000n, { rows: null, ms: null }, 1_000)).toBeNull();
    expect(new Waiting().add('a', 1n, { rows: null, ms: 0 }, 1_000)).toBe(1_000);
  });
});

test('what another daemon exported since the earliest of their times is passed over, but not what somebody asked for', () => {
  expect(checkedSince([{ firedAt: 5_000 }, { firedAt: 3_000 }])).toBe(3_000_000n);
  expect(checkedSince([{ firedAt: 5_000 }, { firedAt: null }])).toBeNull();
});

const parse = (more: string) =>
  parseConfig(`source: { url: "postgres://h/d" }\nlake: file:./lake\n${more}`, {
    file: '/etc/tidemark/t.yaml',
    shown: 't.yaml',
    env: {},
  });

test('what a running process cannot change is named as the file has it', () => {
  const before = parse('memory: 112MB\n');
  expect(
    fixedParts(before, parse('memory: 112MB\nschedule: { export: "@every 1s" }\nstatus: { token: abc }\n')),
  ).toEqual([]);
  expect(
    fixedParts(before, parse('status: { listen: "127.0.0.1:1" }\nspool: { limit: 1GB }\nstate: { schema: other }\n')),
  ).toEqual(['state', 'spool', 'memory', 'status.listen']);
});
