import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import type { Drop } from '../../../src/load/drop.ts';
import { ahead, pages } from '../../../src/load/pages.ts';

const drop = (i: number): Drop => ({ key: String(i), bytes: 1, etag: '' });

async function* drops(count: number) {
  for (let i = 0; i < count; i++) yield drop(i);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test('pages hold every drop once, in order; none is empty', async () => {
  for (const count of [0, 1, 3, 4, 6, 7]) {
    const found = await all(pages(drops(count), 3));
    expect(found.flat().map(({ key }) => Number(key))).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(found.every(({ length }) => length > 0 && length <= 3)).toBe(true);
  }
});

describe('taken ahead', () => {
  async function* numbers(count: number, made: number[] = []) {
    for (let i = 0; i < count; i++) {
      if (i % 3 === 0) await delay(1);
      made.push(i);
      yield i;
    }
  }

  test('the same items in the same order, and their end is told', async () => {
    const came: (number | null)[] = [];
    expect(await all(ahead(numbers(10), 3, (item) => came.push(item)))).toEqual([...Array(10).keys()]);
    expect(came).toEqual([...Array(10).keys(), null]);
  });

  test('no more than so many before they are used', async () => {
    const made: number[] = [];
    const items = ahead(numbers(100, made), 4, () => {})[Symbol.asyncIterator]();
    await items.next();
    await vi.waitFor(() => expect(made.length).toBe(5), 10_000);
    await delay(20);
    expect(made.length).toBe(5);
    await items.return?.();
    expect(made.length).toBeLessThanOrEqual(6);
  });

  test('an error comes after the items before it', async () => {
    async function* failing() {
      yield* numbers(2);
      throw new Error('lost');
    }
    const items = ahead(failing(), 10, () => {})[Symbol.asyncIterator]();
    expect([await items.next(), await items.next()].map(({ value }) => value)).toEqual([0, 1]);
    await expect(items.next()).rejects.toThrow('lost');
  });
});
