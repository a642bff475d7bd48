/** What becomes of the tables of one compaction, and who is told meanwhile. Pure data. */

import type { TidemarkError } from '../model/error.ts';
import type { TableName } from '../model/table.ts';
import type { Held } from '../state/leases.ts';
import type { Counts } from './work.ts';

export type CompactResult = Counts & {
  table: TableName;
  folder: string;
  /** The staged table's newest version; null: there is none. */
  version: number | null;
  /** The last raw run that is in it. */
  throughRun: bigint | null;
  seconds: number;
} & (
    | { state: 'compacted' }
    /** `unmerged`: runs wait that a table without a key cannot take. */
    | { state: 'nothing'; unmerged: boolean }
    | Held
    | { state: 'failed'; error: TidemarkError }
  );

/** Told how far each table is. Bytes of raw files; of staged files where they are only put in order. */
export type CompactProgress = {
  started(table: TableName, bytes: number): void;
  advanced(table: TableName, bytes: number): void;
  ended(result: CompactResult): void;
};
