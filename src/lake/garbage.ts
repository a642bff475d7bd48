/**
 * Collects the buffers that streams leave behind. Invariant: about 16 MB of them lie around, whatever moves. Left to itself
 * V8 waits for 64 MB and more, because buffers lie outside of its heap: measured with four files of 64 MB at once, 120 MB
 * more than before the transfer instead of 25.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const EVERY = 16 * 1024 * 1024;

type Collect = (options: { type: 'minor' | 'major' }) => void;

let moved = 0;
let collect: Collect | undefined;

/** Counts bytes that went through a stream. A collection of the young takes a millisecond or two. */
export function passed(bytes: number): void {
  moved += bytes;
  if (moved < EVERY) return;
  moved = 0;
  collect ??= exposed();
  collect({ type: 'minor' });
}

/** Collects everything, for whoever leaves behind what was in use for long; takes some 20 ms. */
export function collectAll(): void {
  collect ??= exposed();
  collect({ type: 'major' });
}

/** The collector is a global of contexts that are made while this flag is set. */
function exposed(): Collect {
  setFlagsFromString('--expose-gc');
  const found = runInNewContext('globalThis.gc') as Collect | undefined;
  setFlagsFromString('--no-expose-gc');
  return found ?? (() => {});
}
