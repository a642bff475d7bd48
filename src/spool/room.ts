/**
 * How much may lie in a spool. Invariant: whoever gets room has it under the limit as far as this process can see. Other
 * processes are seen by what lies on the disk, at most two seconds ago; what they have only reserved is not seen.
 */

import { statfs } from 'node:fs/promises';
import { TidemarkError } from '../model/error.ts';
import { type Contents, evict, look, pin } from './contents.ts';

// A look costs some 20 microseconds a file.
const LOOK_MS = 2_000;

export type Room = {
  /** Bytes that may still be used: the limit, or what the disk has, less whatever cannot be evicted. */
  available(): Promise<number>;
  /** Bytes that lie there or are held. */
  used(): Promise<number>;
  /** Room for outputs and DuckDB's temporary files; what is written there uses it up. Throws SPOOL_FULL. */
  reserve(bytes: number): Promise<Disposable>;
  /** Room for a file that arrives. Throws SPOOL_FULL. */
  expect(bytes: number, key: string): Promise<Arrival>;
  /** Runs what gives a file of the cache another name, and counts it as in use when that says true. */
  take(cached: string, link: () => Promise<boolean>): Promise<boolean>;
  /** Runs what moves a file, while nobody counts: in two places, or in none, it would be counted twice or never. */
  move(run: () => Promise<void>): Promise<void>;
};

/** `arrive` runs what moves the file to its place; it is counted there. Disposing gives back what did not arrive. */
export type Arrival = Disposable & { arrive(move: () => Promise<void>): Promise<void> };

/** `now`: milliseconds of a clock that never steps back. */
export function createRoom(path: string, own: string, limitBytes: number, now: () => number): Room {
  let contents: Contents | null = null;
  let allowed = limitBytes;
  let lookedMs = 0;
  let reserved = 0;
  let arriving = 0;
  let turn: Promise<unknown> = Promise.resolve();

  /** One after another: two that look at once would both get the last room. */
  function inTurn<T>(run: () => Promise<T>): Promise<T> {
    const done = turn.then(run);
    turn = done.catch(() => {});
    return done;
  }
  async function seen(fresh: boolean): Promise<Contents> {
    if (contents !== null && !fresh && now() - lookedMs < LOOK_MS) return contents;
    contents = await look(path, own);
    lookedMs = now();
    const { bavail, bsize } = await statfs(path);
    const there = contents.pinned + contents.outputs + idleBytes(contents);
    allowed = Math.min(limitBytes, there + bavail * bsize);
    return contents;
  }
  // What is written counts as the reservation that it was written under, until it is more than that.
  const used = ({ pinned, outputs }: Contents) => pinned + Math.max(outputs, reserved) + arriving;

  /** Checks that what is claimed now fits, and evicts where need be. */
  async function makeRoom(bytes: number, key?: string): Promise<void> {
    for (let fresh = false; ; fresh = true) {
      const there = await seen(fresh);
      const excess = used(there) + idleBytes(there) - allowed;
      const fits = used(there) <= allowed;
      if (excess <= 0 || (fits && (await evict(there, excess)))) return;
      if (fresh && !fits) throw full(bytes, allowed - used(there) + bytes, limitBytes, key);
    }
  }
  return {
    available: () =>
      inTurn(async () => {
        const there = await seen(true);
        return Math.max(0, allowed - used(there));
      }),
    used: () => inTurn(async () => used(await seen(true))),
    reserve: (bytes) =>
      inTurn(async () => {
        const end = hold(bytes, (more) => {
          reserved += more;
        });
        return kept(end, makeRoom(bytes));
      }),
    expect: (bytes, key) =>
      inTurn(async () => {
        const end = hold(bytes, (more) => {
          arriving += more;
        });
        await kept(end, makeRoom(bytes, key));
        const arrive = (move: () => Promise<void>) =>
          inTurn(async () => {
            await move();
            if (contents !== null) contents.pinned += bytes;
            end[Symbol.dispose]();
          });
        return { arrive, ...end };
      }),
    take: (cached, link) =>
      inTurn(async () => {
        const taken = await link();
        if (taken && contents !== null) pin(contents, cached);
        return taken;
      }),
    move: inTurn,
  };
}

function idleBytes({ idle }: Contents): number {
  return idle.reduce((sum, each) => sum + each.bytes, 0);
}

/** Counts the bytes until it is disposed, once. */
function hold(bytes: number, count: (more: number) => void): Disposable {
  count(bytes);
  let over = false;
  return {
    [Symbol.dispose]() {
      if (!over) count(-bytes);
      over = true;
    },
  };
}

/** The hold once `check` has passed; given back when it fails. */
async function kept(hold: Disposable, check: Promise<void>): Promise<Disposable> {
  try {
    await check;
    return hold;
  } catch (error) {
    hold[Symbol.dispose]();
    throw error;
  }
}

function full(bytes: number, left: number, limitBytes: number, key?: string): TidemarkError {
  const room = `${Math.max(0, left)} are left of the ${limitBytes} that \`spool.limit\` allows and its disk has`;
  const hint = 'raise `spool.limit`, or give `spool.path` a larger disk';
  return new TidemarkError('SPOOL_FULL', `the spool would need ${bytes} bytes, and ${room}`, { hint, key });
}
