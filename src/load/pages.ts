/** Drops in pages, listed ahead of their use. Invariant: at most so many pages lie in memory, whatever the number of drops. */

import type { Drop } from './drop.ts';

/** Pages of at most `size`; the last may be shorter. */
export async function* pages(drops: AsyncIterable<Drop>, size: number): AsyncIterable<Drop[]> {
  let page: Drop[] = [];
  for await (const drop of drops) {
    if (page.push(drop) < size) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/**
 * The same items, taken from `items` while the ones before are used, at most `most` of them; so a progress display knows
 * early how many there are. `came` is told of each, and of the end with null. `stop` ends the taking when the use ends early.
 */
export async function* ahead<T>(
  items: AsyncIterable<T>,
  most: number,
  came: (item: T | null) => void,
): AsyncIterable<T> {
  const waiting: T[] = [];
  let state: { ended: boolean; error?: unknown } = { ended: false };
  let left = false;
  let wake = () => {};
  const changed = () => new Promise<void>((resolve) => (wake = resolve));

  const taking = (async () => {
    for await (const item of items) {
      if (left) return;
      waiting.push(item);
      came(item);
      wake();
      while (waiting.length >= most && !left) await changed();
    }
    came(null);
  })().then(
    () => (state = { ended: true }),
    (error) => (state = { ended: true, error }),
  );
  void taking.then(() => wake());

  try {
    while (true) {
      const item = waiting.shift();
      wake();
      if (item !== undefined) yield item;
      else if (!state.ended) await changed();
      else if (state.error === undefined) return;
      else throw state.error;
    }
  } finally {
    left = true;
    wake();
    await taking;
  }
}
