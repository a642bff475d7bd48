import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  AttemptTimeout,
  attemptLimitMs,
  backoffMs,
  mayRetry,
  RETRY_LIMITS,
  retry,
  type Verdict,
  within,
} from '../../../src/lake/retry.ts';

const never = new AbortController().signal;
const limits = { ...RETRY_LIMITS, attempts: 5, totalMs: 10_000, baseMs: 100, capMs: 1_000 };

function clock(attemptMs: number) {
  let time = 0;
  const sleeps: number[] = [];
  return {
    sleeps,
    spend: () => {
      time += attemptMs;
    },
    tools: {
      random: () => 0.5,
      now: () => time,
      sleep: async (ms: number) => {
        sleeps.push(ms);
        time += ms;
      },
    },
  };
}

const judge =
  (verdict: Verdict, answered = true) =>
  () => ({ verdict, answered });

test('an attempt that succeeds is the last one', async () => {
  const { tools, sleeps } = clock(0);
  const done = await retry(
    async (n) => (n < 3 ? Promise.reject(new Error('no')) : n),
    judge('retry'),
    limits,
    tools,
    never,
  );
  expect(done).toBe(3);
  expect(sleeps).toEqual([50, 100]);
});

test('the last error is thrown once the attempts are used up', async () => {
  const { tools, sleeps } = clock(0);
  const attempt = async (n: number) => Promise.reject(new Error(`attempt ${n}`));
  await expect(retry(attempt, judge('retry'), limits, tools, never)).rejects.toThrow('attempt 5');
  expect(sleeps.length).toBe(4);
});

test('no attempt starts after the total time', async () => {
  const { tools, spend } = clock(6_000);
  let attempts = 0;
  const attempt = async () => {
    attempts++;
    spend();
    throw new Error('slow');
  };
  await expect(retry(attempt, judge('retry'), limits, tools, never)).rejects.toThrow('slow');
  expect(attempts).toBe(2);
});

test('what cannot get better is not repeated', async () => {
  const { tools, sleeps } = clock(0);
  await expect(
    retry(async () => Promise.reject(new Error('denied')), judge('fail'), limits, tools, never),
  ).rejects.toThrow('denied');
  expect(sleeps).toEqual([]);
});

test('a server that never answered is given up sooner than one that did', () => {
  expect(mayRetry('unreachable', 3, 0, false, RETRY_LIMITS)).toBe(true);
  expect(mayRetry('unreachable', 4, 0, false, RETRY_LIMITS)).toBe(false);
  expect(mayRetry('unreachable', 4, 0, true, RETRY_LIMITS)).toBe(true);
});

test('waits grow, never pass the cap, and are spread down to nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.double({ min: 0, max: 1, noNaN: true }), (failed, random) => {
      const ms = backoffMs('retry', failed, random, limits);
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThanOrEqual(limits.capMs);
      expect(backoffMs('retry', failed + 1, random, limits)).toBeGreaterThanOrEqual(ms);
      expect(backoffMs('slow', failed, random, limits)).toBeGreaterThanOrEqual(ms);
    }),
  );
  expect(backoffMs('retry', 3, 0, limits)).toBe(0);
  expect(backoffMs('retry', 3, 1, limits)).toBe(400);
  expect(backoffMs('slow', 1, 1, limits)).toBe(500);
});

test('more bytes have more time, within what a timer can count', () => {
  expect(attemptLimitMs(0, RETRY_LIMITS)).toBe(30_000);
  expect(attemptLimitMs(8 * 1024 * 1024, RETRY_LIMITS)).toBe(62_000);
  expect(attemptLimitMs(Number.POSITIVE_INFINITY, RETRY_LIMITS)).toBeLessThan(2 ** 31);
});

describe('within', () => {
  test('an attempt that never ends is ended, and told so', async () => {
    let told: unknown;
    const hung = within(
      10,
      never,
      (signal) => new Promise(() => signal.addEventListener('abort', () => (told = signal.reason))),
    );
    await expect(hung).rejects.toBeInstanceOf(AttemptTimeout);
    expect(told).toBeInstanceOf(AttemptTimeout);
  });

  test('a stop ends it with its own reason, also when the attempt does not listen', async () => {
    const stop = new AbortController();
    const reason = new Error('stop');
    const deaf = within(60_000, stop.signal, () => new Promise(() => {}));
    stop.abort(reason);
    await expect(deaf).rejects.toBe(reason);
    await expect(async () => within(60_000, stop.signal, async () => 1)).rejects.toBe(reason);
  });

  test('a failure after the end disturbs nobody', async () => {
    const late = within(5, never, async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new Error('late');
    });
    await expect(late).rejects.toBeInstanceOf(AttemptTimeout);
    await new Promise((resolve) => setTimeout(resolve, 40));
  });
});
