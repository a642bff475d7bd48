/** Lets only so many through at once. Invariant: an abort ends the wait at once, and whoever leaves lets the next one in. */

export type Gate = <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T>;

export function createGate(atOnce: number): Gate {
  let free = atOnce;
  const waiting = new Set<() => void>();
  return async (signal, work) => {
    signal.throwIfAborted();
    if (free > 0) free--;
    else await turn(waiting, signal);
    try {
      return await work();
    } finally {
      const [next] = waiting;
      // The place is handed over: freed, it could be taken by somebody who has not waited.
      if (next !== undefined) next();
      else free++;
    }
  };
}

function turn(waiting: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      waiting.delete(go);
      signal.removeEventListener('abort', stop);
    };
    const go = () => {
      end();
      resolve();
    };
    const stop = () => {
      end();
      reject(signal.reason);
    };
    waiting.add(go);
    signal.addEventListener('abort', stop, { once: true });
  });
}
