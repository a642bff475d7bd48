/** What a reconciliation of tables is given, and what comes of it. */

import type { CompactDeps } from '../compact/work.ts';
import type { ExportDeps } from '../export/work.ts';
import type { TidemarkError } from '../model/error.ts';
import type { TableName, TableSettings } from '../model/table.ts';
import type { Held } from '../state/leases.ts';

/** `compact`: nobody else uses its DuckDB connections meanwhile. Both are of the same state store and lake. */
export type ReconcileDeps = { export: ExportDeps; compact: CompactDeps };

export type ReconcileRequest = {
  tables: TableSettings[];
  /** Also where most of a table's rows are gone. The daemon never does. */
  acceptDeletes: boolean;
  /** Count, and write nothing; the lease is taken nevertheless. */
  dryRun: boolean;
  /** Who holds the leases, for people: host and process. */
  holder: string;
  leaseMs: number;
  /** Told how far a table is: rows read of the source (about `of`), then of the staged table. */
  onProgress?: (table: TableName, what: 'source' | 'staged', rows: bigint, of: number | null) => void;
};

export type Reconciled = {
  table: TableName;
  /** `found`: a dry run, and there are deleted rows. `skipped`: `reason` says why; nothing is wrong. */
  state: 'committed' | 'nothing' | 'found' | 'skipped' | 'held' | 'failed';
  run: bigint | null;
  /** In the source. */
  keys: bigint;
  /** In the staged table. */
  stagedKeys: bigint;
  /** Of these, not in the source. */
  deleted: bigint;
  /** Exported, and not in the staged table yet: their rows were not compared. */
  waitingRuns: bigint;
  seconds: number;
  reason: string | null;
  error: TidemarkError | null;
  /** Of a dry run: some of the deleted keys, `a=1, b=2`. */
  sample: string[];
  /** Exactly when held. */
  held: Held | null;
};
