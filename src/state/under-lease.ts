/** Work under a lease. Invariant: the lease is renewed while the work goes on, and given back when that is over, however it ended. */

import type { Logger } from 'pino';
import { displayName } from '../model/table.ts';
import { keepAlive } from './keep-alive.ts';
import { type Lease, leaseLost } from './leases.ts';
import type { StateStore } from './state-store.ts';

export type LeaseWork = { lease: Lease; ttlMs: number };

/** What `work` resolves to. Its signal is aborted by `signal`, and with LEASE_LOST when another process has taken the lease. Throws what `work` throws. */
export async function underLease<T>(
  { state, log }: { state: Pick<StateStore, 'renew' | 'release'>; log: Pick<Logger, 'warn'> },
  { lease, ttlMs }: LeaseWork,
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const lost = new AbortController();
  const heartbeat = keepAlive(state, [lease], ttlMs, (taken) => lost.abort(leaseLost(taken)), log);
  try {
    return await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    await heartbeat[Symbol.asyncDispose]();
    await state.release([lease]).catch((error) => {
      log.warn({ err: error, table: displayName(lease.table) }, 'the lease stays until it expires');
    });
  }
}
