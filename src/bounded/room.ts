/** Room for bytes on their way. Invariant: whoever needs more than there is at all goes alone; nobody overtakes. */

export type Room = {
  /** Resolves once there is room; the function gives it back. Rejects with the signal's reason. */
  take(bytes: number, signal: AbortSignal): Promise<() => void>;
};

/** At most `places` at once, with at most `bytes` together. */
export function createRoom(places: number, bytes: number): Room {
  let free = { places, bytes };
  const queue: { bytes: number; go: () => void }[] = [];
  const fits = (wanted: number) => free.places > 0 && (wanted <= free.bytes || free.places === places);
  const admit = () => {
    while (queue.length > 0 && fits(queue[0].bytes)) {
      const { bytes: wanted, go } = queue.shift()!;
      free = { places: free.places - 1, bytes: free.bytes - wanted };
      go();
    }
  };
  return {
    async take(wanted, signal) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const entry = { bytes: wanted, go: resolve };
      const stop = () => {
        const at = queue.indexOf(entry);
        if (at < 0) return;
        queue.splice(at, 1);
        reject(signal.reason);
        admit();
      };
      queue.push(entry);
      signal.addEventListener('abort', stop, { once: true });
      admit();
      await promise.finally(() => signal.removeEventListener('abort', stop));
      let given = false;
      return () => {
        if (given) return;
        given = true;
        free = { places: free.places + 1, bytes: free.bytes + wanted };
        admit();
      };
    },
  };
}
