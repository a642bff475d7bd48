/** The heartbeat that keeps leases while their tables are worked on. Invariant: at most one beat is under way. */

import type { Logger } from 'pino';
import type { Lease } from './leases.ts';
import type { StateStore } from './state-store.ts';

export type KeepAlive = AsyncDisposable & {
  /** Renews this lease too. */
  keep(lease: Lease): void;
  /** Stops renewing a lease; call it before releasing it, else it counts as lost. */
  forget(lease: Lease): void;
};

/**
 * Renews the leases every third of `ttlMs` until disposed. `onLost` is called once for each lease that another took. A
 * beat that fails is logged, no more: an expired lease stays ours until another takes it, and every commit checks that.
 */
export function keepAlive(
  store: Pick<StateStore, 'renew'>,
  leases: Iterable<Lease>,
  ttlMs: number,
  onLost: (lease: Lease) => void,
  log: Pick<Logger, 'warn'>,
): KeepAlive {
  const kept = new Set(leases);
  let timer: NodeJS.Timeout | undefined;
  let beating: Promise<void> = Promise.resolve();
  let stopped = false;

  const beat = async () => {
    try {
      if (kept.size === 0) return;
      for (const lease of await store.renew([...kept], ttlMs)) if (kept.delete(lease) && !stopped) onLost(lease);
    } catch (error) {
      log.warn({ err: error }, 'leases could not be renewed');
    }
  };
  const schedule = () => {
    timer = setTimeout(() => {
      beating = beat().then(() => {
        if (!stopped) schedule();
      });
    }, ttlMs / 3);
  };
  schedule();
  return {
    keep: (lease) => void kept.add(lease),
    forget: (lease) => void kept.delete(lease),
    async [Symbol.asyncDispose]() {
      stopped = true;
      clearTimeout(timer);
      await beating;
    },
  };
}
