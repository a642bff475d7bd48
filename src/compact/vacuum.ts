/**
 * Vacuum: deletes what no version of a staged table within the retention needs. Takes no lease: what a compaction beside it writes
 * is younger than whatever is deleted, and what it reads is live. Invariant: the listing streams; a killed vacuum is simply repeated.
 */

import type { RemoveFile, Snapshot } from './delta/actions.ts';
import { cleanLog } from './delta/cleanup.ts';
import { logRetentionMs, tombstoneMs } from './delta/durations.ts';
import { listLog } from './delta/list-log.ts';
import { checkWritable } from './delta/protocol.ts';
import { readCommit, readSnapshot } from './delta/read-log.ts';
import type { DeltaTable } from './delta/table.ts';
import { type Cutoffs, cutoffs, fateOf, referenced } from './vacuum-plan.ts';

export type VacuumOrder = {
  retentionMs: number;
  /** Delete nothing. */
  dryRun: boolean;
  /** Milliseconds since 1970. */
  now: number;
  /** Told of every file that goes; `path` below the table's folder. */
  onFile: (path: string, bytes: number) => void;
};

export type Vacuumed = {
  /** Deleted, or with a dry run to be deleted. */
  files: number;
  bytes: number;
  /** Live ones, those of versions within the retention, and young ones. */
  kept: number;
};

/** As many as S3 deletes by one request. */
const BATCH = 1_000;

/** Null: there is no staged table. Safe to repeat. Throws STAGED_UNSUPPORTED, STAGED_BROKEN, LAKE_*. */
export async function vacuum(table: DeltaTable, order: VacuumOrder, signal: AbortSignal): Promise<Vacuumed | null> {
  const { lake, root } = table;
  const { retentionMs, dryRun, now } = order;
  const snapshot = await readSnapshot(table, signal);
  if (!snapshot) return null;
  // A feature that is not known here may keep files of its own beside the data.
  checkWritable(snapshot.protocol, snapshot.metadata);
  const cut = cutoffs(now, retentionMs);
  const needed = referenced(snapshot, await removedLately(table, snapshot, retentionMs, cut, signal), cut, root);
  const found: Vacuumed = { files: 0, bytes: 0, kept: 0 };
  let batch: string[] = [];
  const flush = async () => {
    if (batch.length > 0 && !dryRun) await lake.delete(batch, signal);
    batch = [];
  };
  for await (const { key, bytes, modified } of lake.list(`${root}/`, signal)) {
    const path = key.slice(root.length + 1);
    const fate = fateOf(path, modified.getTime(), needed, cut);
    if (fate === 'delete') {
      found.files++;
      found.bytes += bytes;
      order.onFile(path, bytes);
      if (batch.push(key) >= BATCH) await flush();
    } else if (fate !== 'hidden') found.kept++;
  }
  await flush();
  // Without its log a version that the retention keeps the files of could not be read.
  const longer = Math.max(0, retentionMs - logRetentionMs(snapshot.metadata));
  if (!dryRun) await cleanLog(table, snapshot, now - longer, signal);
  return found;
}

/** What was removed since the cutoff, by the commits: where the retention is the longer one, checkpoints have forgotten some of it. */
async function removedLately(
  table: DeltaTable,
  { metadata }: Snapshot,
  retentionMs: number,
  cut: Cutoffs,
  signal: AbortSignal,
): Promise<RemoveFile[]> {
  if (retentionMs <= tombstoneMs(metadata)) return [];
  const { commits } = await listLog(table, 0, signal);
  const removed: RemoveFile[] = [];
  for (const [version, modified] of commits) {
    if (modified.getTime() < cut.removed) continue;
    for (const action of await readCommit(table, version, signal)) {
      if (action.kind === 'remove') removed.push(action.value);
    }
  }
  return removed;
}
