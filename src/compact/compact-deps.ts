/** What compactions work with, for the command and the daemon alike. */

import type { Config } from '../config/config.ts';
import type { TableSettings } from '../model/table.ts';
import type { Engine } from './open-engine.ts';
import { SHAPE } from './plan.ts';
import type { CompactDeps, CompactSettings } from './work.ts';

/** Raw bytes of one batch; uncompressed they are about ten times as many, which DuckDB sorts by spilling. */
const MOST_BATCH_BYTES = 512 * 2 ** 20;
/** A batch, what DuckDB spills of it, and what is written of it have room in the spool. */
const SPOOL_PARTS = 10;

export function compactDeps(
  { spool: { limitBytes } }: Pick<Config, 'spool'>,
  { spool, connect, moreMemory, checkpoints, snapshots }: Engine,
  { state, lake, log }: Pick<CompactDeps, 'state' | 'lake' | 'log'>,
): CompactDeps {
  return {
    state,
    lake,
    spool,
    connect,
    moreMemory,
    snapshots,
    table: (root) => ({
      lake,
      root,
      checkpoints,
      now: Date.now,
      warn: (problem) => log.warn({ root, code: problem.code, err: problem }, problem.message),
    }),
    log,
    now: () => performance.now(),
    clock: Date.now,
    shape: SHAPE,
    batchBytes: Math.min(MOST_BATCH_BYTES, Math.floor(limitBytes / SPOOL_PARTS)),
    step: async () => {},
  };
}

export function compactSettings(table: TableSettings): CompactSettings {
  return { ...table, keyIsPrimary: table.key === 'default' };
}
