/** A process for tests: claims and loads drops, batch after batch, and kills itself at the nth time of a named step. */

import { batchOf, drop, openTarget, originals, settingsOf } from '../../support/load-target.ts';
import { never } from '../../support/state.ts';

export type LoadOrder = {
  url: string;
  connections: number;
  pages: string[][];
  at: { step: string; nth: number } | null;
};

/** What each drop holds: ten rows of its own, one that others have too, and one that the table refuses. */
function rowsOf(key: string): (string | number)[][] {
  const n = Number(key) * 10;
  return [...Array.from({ length: 10 }, (_, i) => [1000 + n + i, key, 1]), [1, 'shared', 1], [-1 - n, key, 1]];
}

const order: LoadOrder = JSON.parse(process.argv[2]);
let seen = 0;
const step = async (name: string) => {
  if (name === order.at?.step && ++seen === order.at.nth) process.kill(process.pid, 'SIGKILL');
};
await using target = await openTarget(settingsOf(order.url, { connections: order.connections }), { step });
let loaded = 0;
for (const page of order.pages) {
  const claimed = await target.claim(
    page.map((key) => drop(key)),
    never,
  );
  await step('claimed');
  const { drops } = await target.load(batchOf(claimed, rowsOf), originals, never);
  loaded += drops.filter(({ state }) => state === 'loaded').length;
}
console.log(loaded);
