/** Spool and DuckDB, for commands that read or write the lake's files. Invariant: DuckDB is opened at its first use, and once. */

import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Duck } from '../duckdb/duck.ts';
import { growingMemory } from '../duckdb/growing-memory.ts';
import type { Lake } from '../lake/lake.ts';
import { Spool } from '../spool/spool.ts';
import { duckCheckpoints } from './delta/checkpoint-duck.ts';
import { readAlways, type Snapshots } from './delta/kept-snapshots.ts';
import type { Checkpoints } from './delta/table.ts';
import type { Connections } from './work.ts';

export type Engine = AsyncDisposable & {
  spool: Spool;
  duck: () => Promise<Duck>;
  /** Closes DuckDB, if it is open; the next use opens it anew. Nobody may be using it. Never throws. */
  renew: () => Promise<void>;
  /** Two connections: statements of one thread side by side are as fast as one statement of two threads, with half the memory. */
  connect: () => Promise<Connections>;
  /** Twice what DuckDB has, up to MOST_MEMORY; false when the configuration says how much it may have. */
  moreMemory: () => Promise<boolean>;
  checkpoints: Checkpoints;
  snapshots: Snapshots;
};

const MOST_MEMORY = 2 ** 30;

/**
 * The spool is what the statements of one command share, so its limit is DuckDB's too. `livesOn`: the process does not end with what it
 * is opened for. `snapshots`: where the newest versions of tables come from. Throws SPOOL_FULL.
 */
export async function openEngine(
  { spool: { path, limitBytes }, memoryBytes, memoryIsFixed }: Config,
  lake: Lake,
  { log, livesOn = false, snapshots = readAlways }: { log: Logger; livesOn?: boolean; snapshots?: Snapshots },
): Promise<Engine> {
  const spool = await Spool.open({ path, limitBytes }, lake, log);
  let opened: Promise<Duck> | undefined;
  const open = async () => {
    // 40 MB of native code, which a command without a checkpoint to read does not need.
    const { Duck } = await import('../duckdb/duck.ts');
    const settings = { memoryBytes, threads: 1, tempFolder: spool.tempFolder, tempBytes: limitBytes };
    return Duck.open({ ...settings, givesBack: livesOn });
  };
  const duck = () => {
    opened ??= open();
    return opened;
  };
  let connected: Promise<Connections> | undefined;
  const connect = () => {
    connected ??= duck().then(async (database) => [await database.connect(), await database.connect()] as const);
    return connected;
  };
  // A size that somebody chose is one that the machine may not have more than.
  const growing = () => growingMemory(connect, { bytes: memoryBytes, most: memoryIsFixed ? memoryBytes : MOST_MEMORY });
  let grow = growing();
  const moreMemory = async () => {
    const bytes = await grow();
    if (bytes !== null)
      log.warn({ bytes }, 'rows are too wide for the memory that DuckDB has by default: it gets more');
    return bytes !== null;
  };
  const renew = async () => {
    const before = opened;
    [opened, connected, grow] = [undefined, undefined, growing()];
    await (await before?.catch(() => undefined))?.[Symbol.asyncDispose]();
  };
  return {
    spool,
    duck,
    renew,
    connect,
    moreMemory,
    checkpoints: duckCheckpoints({ duck, folder: spool.folder }),
    snapshots,
    async [Symbol.asyncDispose]() {
      await using _ = spool;
      // A command may end before it needed them: to connect to what is closed already kills the process.
      await connected?.catch(() => {});
      await (await opened?.catch(() => undefined))?.[Symbol.asyncDispose]();
    },
  };
}
