/** A process for tests: archives a table's old runs, and kills itself at one of the named steps. */

import { openLake } from '../../src/lake/open.ts';
import type { LakeConfig } from '../../src/lake/settings.ts';
import { openAt } from '../support/state.ts';
import { archive, SMALL } from './scene.ts';

/** `nth`: at which occurrence of the step, from 1. */
export type Order = { url: string; lake: LakeConfig; table: string; at: { step: string; nth: number } | null };

const order: Order = JSON.parse(process.argv[2]);
await using state = await openAt(order.url);
await using lake = await openLake(order.lake);
let seen = 0;
const step = async (name: string) => {
  process.stdout.write(`${name}\n`);
  if (name === order.at?.step && ++seen === order.at.nth) process.kill(process.pid, 'SIGKILL');
};
await archive({ state, lake, step }, order.table, { limits: { ...SMALL, most: 40, archives: 1 } });
