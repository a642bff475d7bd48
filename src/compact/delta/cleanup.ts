/**
 * Deletes old log files (PROTOCOL.md, "Metadata Cleanup"). Invariant: every version from the kept checkpoint on can still be read; the
 * checkpoint is read before what came before it is deleted.
 */

import type { Snapshot } from './actions.ts';
import { logRetentionMs } from './durations.ts';
import { listLog, readCheckpoint } from './list-log.ts';
import { logFolder, parseLogName } from './log-names.ts';
import { checkWritable } from './protocol.ts';
import type { DeltaTable } from './table.ts';

const KEYS_A_CALL = 1_000;

/**
 * Deletes what comes before the newest checkpoint that was committed longer ago than versions are kept (logRetentionMs) at `now`
 * (milliseconds since 1970); returns how many files. Throws STAGED_BROKEN, and deletes nothing, when that checkpoint cannot be read.
 */
export async function cleanLog(
  table: DeltaTable,
  snapshot: Snapshot,
  now: number,
  signal: AbortSignal,
): Promise<number> {
  checkWritable(snapshot.protocol, snapshot.metadata);
  const before = now - logRetentionMs(snapshot.metadata);
  const log = await listLog(table, 0, signal, snapshot.version);
  const committed = ({ version, modified }: { version: number; modified: Date }) =>
    log.commits.get(version) ?? modified;
  const kept = log.checkpoints.findLast((checkpoint) => committed(checkpoint).getTime() <= before);
  if (!kept) return 0;
  const keys: string[] = [];
  const folder = logFolder(table.root);
  for await (const { key } of table.lake.list(folder, signal)) {
    const file = parseLogName(key.slice(folder.length));
    if (file !== null && file.version < kept.version) keys.push(key);
  }
  if (keys.length === 0) return 0;
  await readCheckpoint(table, kept, signal);
  for (let at = 0; at < keys.length; at += KEYS_A_CALL) {
    await table.lake.delete(keys.slice(at, at + KEYS_A_CALL), signal);
  }
  return keys.length;
}
