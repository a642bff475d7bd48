/**
 * Snapshots that a process which lives on keeps between its compactions. Invariant: one is handed out only after a look at the lake has
 * shown that its version is still the one that it was made of, and the newest; whatever else the look finds, the log is read anew.
 */

import type { Snapshot } from './actions.ts';
import { commitKey } from './log-names.ts';
import { readSnapshot, refreshSnapshot } from './read-log.ts';
import { type DeltaTable, isCode } from './table.ts';

export type Snapshots = {
  /** The newest version; null when there is no log. Throws as readSnapshot. */
  newest(table: DeltaTable, signal: AbortSignal): Promise<Snapshot | null>;
  /** What a commit of this process has made of the table. */
  committed(root: string, snapshot: Snapshot): void;
};

/** For processes that end with their work. */
export const readAlways: Snapshots = {
  newest: (table, signal) => readSnapshot(table, signal),
  committed() {},
};

/** Live files of all tables together: 34 MB, as one of 18 columns takes 1.7 KB with its statistics. */
const MOST_FILES = 20_000;
/** A commit's first line, which has its txnId, is shorter unless it brings thousands of runs. */
const HEAD_BYTES = 64 * 1024;

/** `mostFiles`: of all tables together; the one that was used longest ago goes first. */
export function keptSnapshots(mostFiles = MOST_FILES): Snapshots {
  const kept = new Map<string, Snapshot>();
  let files = 0;
  const forget = (root: string) => {
    files -= kept.get(root)?.files.size ?? 0;
    kept.delete(root);
  };
  const keep = (root: string, snapshot: Snapshot) => {
    forget(root);
    // Without a txnId its version cannot be told from another table's.
    if (snapshot.txnId === null || snapshot.files.size > mostFiles) return;
    kept.set(root, light(snapshot));
    files += snapshot.files.size;
    while (files > mostFiles) forget(kept.keys().next().value!);
  };
  return {
    async newest(table, signal) {
      const known = kept.get(table.root);
      const found = (known && (await lookedAt(table, known, signal))) ?? (await readSnapshot(table, signal));
      if (found) keep(table.root, found);
      else forget(table.root);
      return found;
    },
    committed: keep,
  };
}

/** The newest version by what is known; null: the log is to be read anew. */
async function lookedAt(table: DeltaTable, known: Snapshot, signal: AbortSignal): Promise<Snapshot | null> {
  const [same, next] = await Promise.all([
    isStill(table, known, signal),
    table.lake.head(commitKey(table.root, known.version + 1), signal),
  ]);
  // Removed, replaced, or cleaned up: the next version says nothing then, for it may be another table's.
  if (!same) return null;
  return next === null ? known : refreshSnapshot(table, known, signal);
}

async function isStill({ lake, root }: DeltaTable, { version, txnId }: Snapshot, signal: AbortSignal) {
  try {
    const head = await lake.get(commitKey(root, version), signal, [0, HEAD_BYTES]);
    return head.includes(`"txnId":"${txnId}"`);
  } catch (error) {
    if (isCode(error, 'LAKE_NOT_FOUND')) return false;
    throw error;
  }
}

/** Tombstones are wanted by checkpoints alone: compacted every few seconds, a table has 200,000 of them, and 50 MB, after a week. */
function light(snapshot: Snapshot): Snapshot {
  const left = (snapshot.tombstonesLeft ?? 0) + snapshot.tombstones.size;
  return { ...snapshot, tombstones: new Map(), tombstonesLeft: left };
}
