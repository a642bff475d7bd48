/** A process for tests: exports, says each named step on stdout, and kills or stops itself at one of them. */

import { TidemarkError } from '../../src/model/error.ts';
import { type ExportOrder, exportByOrder } from '../support/export-order.ts';

/** `nth`: at which occurrence of the step, from 1. */
export type Place = { step: string; nth: number; signal: 'SIGKILL' | 'SIGSTOP' };

type Order = ExportOrder & { at: Place | null };

const order: Order = JSON.parse(process.argv[2]);
let seen = 0;
const results = await exportByOrder(order, async (name) => {
  process.stdout.write(`step ${name}\n`);
  if (order.at && name === order.at.step && ++seen === order.at.nth) process.kill(process.pid, order.at.signal);
});
for (const result of results) {
  const error = result.state === 'failed' && result.error instanceof TidemarkError ? result.error.code : null;
  process.stdout.write(`${JSON.stringify({ state: result.state, rows: Number(result.rows), error })}\n`);
}
