/** What an export of a table is given, and what comes of it. */

import type { Logger } from 'pino';
import type { Lake } from '../lake/lake.ts';
import type { Mark } from '../model/mark.ts';
import type { Range } from '../model/range.ts';
import type { Broken, UnfitCounts, WrittenColumn } from '../model/run.ts';
import type { TableSettings } from '../model/table.ts';
import type { Compressor } from '../parquet/compressor.ts';
import type { SourceTable } from '../postgres/describe.ts';
import type { Source } from '../postgres/source.ts';
import type { Lease } from '../state/leases.ts';
import type { StateStore } from '../state/state-store.ts';
import type { GroupLimits } from './group-reader.ts';
import type { UnfinishedRun } from './recover.ts';

export type ExportDeps = {
  source: Source;
  state: StateStore;
  lake: Lake;
  /** One for each compression in use: it bounds the pages under way. */
  compressor: (settings: TableSettings) => Compressor;
  log: Logger;
  /** Milliseconds of a clock that never steps back. */
  now: () => number;
  /** `tidemark <version>`, into each file's footer. */
  createdBy: string;
  /** How large a row group gets. */
  groups: GroupLimits;
  /** Named places of a run; a no-op but in tests that kill the process there. */
  step: (name: string) => Promise<void>;
};

/** How far a run in chunks is. */
export type ChunksDone = { done: number; of: number };

export type TableWork = {
  settings: TableSettings;
  /** As the catalog had it when the command began; looked at again inside the run's transaction. */
  table: SourceTable;
  lease: Lease;
  mark: Mark | null;
  columns: WrittenColumn[] | null;
  full: boolean;
  /** Repeats this range of the cursor, and leaves the mark as it is. */
  range?: Range;
  /** A run in chunks that can be gone on with. */
  unfinished?: UnfinishedRun | null;
  onProgress: (rows: bigint, bytes: number, chunks?: ChunksDone) => void;
  /** Told the run's number once it has one. */
  onRun?: (run: bigint) => void;
};

/** `changed`: why the ids of the mark meant nothing on this source; absent: they did. */
export type TableOutcome =
  | {
      state: 'committed';
      run: bigint;
      rows: bigint;
      lateRows: bigint;
      files: { key: string; rows: number; bytes: number }[];
      watermark: string | null;
      unfit: UnfitCounts;
      changed?: string;
      broken?: Broken[];
    }
  /** The mark still moves: the caller saves it, many tables at once. */
  | { state: 'nothing'; mark: Mark; columns: WrittenColumn[]; changed?: string; broken?: Broken[] };
