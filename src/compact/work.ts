/** What a compaction of a table is given, and what comes of it. */

import type { Logger } from 'pino';
import type { DuckConnection } from '../duckdb/duck.ts';
import type { Lake } from '../lake/lake.ts';
import type { TableName } from '../model/table.ts';
import type { Spool } from '../spool/spool.ts';
import type { StateStore } from '../state/state-store.ts';
import type { DeltaWriter } from './delta/commit.ts';
import type { Snapshots } from './delta/kept-snapshots.ts';
import type { Shape } from './plan.ts';

/** Statements run side by side on these; the first one also does what only one may. */
export type Connections = readonly [DuckConnection, ...DuckConnection[]];

export type CompactDeps = {
  state: StateStore;
  lake: Lake;
  spool: Spool;
  /** DuckDB's connections, opened at the first call: a command that finds nothing to do needs none. */
  connect: () => Promise<Connections>;
  /** Gives DuckDB twice the memory; false when it may have no more. */
  moreMemory: () => Promise<boolean>;
  /** Where a table's newest version comes from. */
  snapshots: Snapshots;
  /** The Delta table in a folder of the lake, for reading and writing its log. */
  table: (root: string) => DeltaWriter;
  log: Logger;
  /** Milliseconds of a clock that never steps back. */
  now: () => number;
  /** Milliseconds since 1970, for what is written down. */
  clock: () => number;
  shape: Shape;
  /** The most raw bytes that are merged, or sorted, at once. */
  batchBytes: number;
  /** Named places of a compaction; a no-op but in tests that kill the process there. */
  step: (name: string) => Promise<void>;
};

/** With DuckDB open. */
export type EngineDeps = CompactDeps & { connections: Connections };

/** One table, as the configuration has it. */
export type CompactSettings = {
  name: TableName;
  folder: string;
  merge: 'rewrite' | 'vectors';
  /** The key is the table's primary key, not one that the configuration names. */
  keyIsPrimary: boolean;
};

/** Rows are counted per commit: a row that two steps change counts twice. */
export type Counts = {
  inserted: number;
  updated: number;
  deleted: number;
  filesAdded: number;
  filesRemoved: number;
  bytesWritten: number;
};

export const NO_COUNTS: Counts = {
  inserted: 0,
  updated: 0,
  deleted: 0,
  filesAdded: 0,
  filesRemoved: 0,
  bytesWritten: 0,
};

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    inserted: a.inserted + b.inserted,
    updated: a.updated + b.updated,
    deleted: a.deleted + b.deleted,
    filesAdded: a.filesAdded + b.filesAdded,
    filesRemoved: a.filesRemoved + b.filesRemoved,
    bytesWritten: a.bytesWritten + b.bytesWritten,
  };
}
