/** What a commit did, in numbers, by what its writer says of it. Pure. */

import type { HistoryEntry } from './delta/history.ts';

/** Null: its writer does not say. */
export type CommitCounts = {
  inserted: number | null;
  updated: number | null;
  deleted: number | null;
  filesAdded: number;
  filesRemoved: number;
};

// As Spark names them, for MERGE first, as in our own commits; delta-rs has the same words in snake_case, and some of its own.
const NAMES = {
  inserted: ['numTargetRowsInserted', 'numOutputRows', 'numAddedRows'],
  updated: ['numTargetRowsUpdated', 'numUpdatedRows'],
  deleted: ['numTargetRowsDeleted', 'numDeletedRows'],
  filesAdded: ['numTargetFilesAdded', 'numAddedFiles', 'numFiles'],
  filesRemoved: ['numTargetFilesRemoved', 'numRemovedFiles'],
};

/** Files whose deletion vector alone has changed are neither added nor removed, where the writer tells. */
export function commitCounts({ metrics, filesAdded, filesRemoved }: HistoryEntry): CommitCounts {
  const plain = (name: string) => name.replaceAll('_', '').toLowerCase();
  const values = new Map(Object.entries(metrics).map(([name, value]) => [plain(name), value]));
  const count = (names: string[]) => {
    const value = names.map((name) => values.get(plain(name))).find((each) => each !== undefined);
    return /^\d{1,15}$/.test(String(value)) ? Number(value) : null;
  };
  return {
    inserted: count(NAMES.inserted),
    updated: count(NAMES.updated),
    deleted: count(NAMES.deleted),
    filesAdded: count(NAMES.filesAdded) ?? filesAdded,
    filesRemoved: count(NAMES.filesRemoved) ?? filesRemoved,
  };
}
