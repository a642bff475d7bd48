/** The shared engine with all of its memory, for large compactions and reconciliations. Invariant: one user at a time. */

import { createRoom } from '../bounded/room.ts';
import type { Engine } from '../compact/open-engine.ts';
import type { SharedEngine } from './shared-engine.ts';

export type WholeEngine = {
  /** Waits for its turn. Throws the signal's reason, and what opening throws. */
  use<T>(work: (engine: Engine) => Promise<T>, signal: AbortSignal): Promise<T>;
};

export function wholeEngine(engine: SharedEngine): WholeEngine {
  const room = createRoom(1, Number.POSITIVE_INFINITY);
  return {
    async use(work, signal) {
      const leave = await room.take(0, signal);
      try {
        return await engine.use(work);
      } finally {
        leave();
      }
    },
  };
}
