/** A process for tests: compacts, says each named step on stdout, and kills itself at one of them. */

import { openLake } from '../../src/lake/open.ts';
import type { LakeConfig } from '../../src/lake/settings.ts';
import { TidemarkError } from '../../src/model/error.ts';
import { type CompactOptions, createCompactor } from '../support/compactor.ts';
import { openAt } from '../support/state.ts';

export type CompactOrder = {
  /** Of the state store. */
  url: string;
  lake: LakeConfig;
  table: string;
  /** JSON: an instant to rebuild as of has no place here. */
  options: Pick<CompactOptions, 'merge' | 'optimize' | 'fullSchema'> & { rebuild?: { asOf: null } };
  /** `nth`: at which occurrence of the step, from 1. */
  at: { step: string; nth: number } | null;
  /** Waits for a byte on stdin first, so that several begin at once. */
  waits?: boolean;
};

const order: CompactOrder = JSON.parse(process.argv[2]);
await using state = await openAt(order.url);
await using lake = await openLake(order.lake);
await using compactor = await createCompactor({ state, lake });
let seen = 0;
const step = async (name: string) => {
  process.stdout.write(`step ${name}\n`);
  if (order.at && name === order.at.step && ++seen === order.at.nth) process.kill(process.pid, 'SIGKILL');
};
if (order.waits) {
  process.stdout.write('ready\n');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  process.stdin.destroy();
}
const result = await compactor.tryCompact(order.table, { ...order.options, step });
const error = result.state === 'failed' && result.error instanceof TidemarkError ? result.error.code : null;
process.stdout.write(`${JSON.stringify({ state: result.state, error, version: result.version })}\n`);
