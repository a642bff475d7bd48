/**
 * Writes checkpoints (PROTOCOL.md, "Checkpoints"). Invariant: `_last_checkpoint` names a checkpoint that is there whole; it is only a hint,
 * so a crash between the two costs a longer listing.
 */

import type { Snapshot } from './actions.ts';
import { tombstoneMs } from './durations.ts';
import { actionLine } from './log-lines.ts';
import { checkpointKeys, lastCheckpointKey } from './log-names.ts';
import { checkWritable } from './protocol.ts';
import type { DeltaTable } from './table.ts';

/** Writes the snapshot's checkpoint, over one that may be there: that one may be cut. `now`: milliseconds since 1970. */
export async function writeCheckpoint(
  table: DeltaTable,
  snapshot: Snapshot,
  now: number,
  signal: AbortSignal,
): Promise<void> {
  // A table that another writer has given features not known here would lose what they keep in the log.
  checkWritable(snapshot.protocol, snapshot.metadata);
  const { lake, root, checkpoints } = table;
  let size = 0;
  const counted = function* () {
    for (const line of checkpointLines(snapshot, now)) {
      size++;
      yield line;
    }
  };
  const body = await checkpoints.write(counted(), signal);
  await lake.put(checkpointKeys(root, snapshot.version, 1)[0], body, signal);
  const last = { version: snapshot.version, size, sizeInBytes: body.length, numOfAddFiles: snapshot.files.size };
  await lake.put(lastCheckpointKey(root), Buffer.from(JSON.stringify(last)), signal);
}

/** Everything that holds at this version; no tombstone that has outlived `delta.deletedFileRetentionDuration`. */
function* checkpointLines(snapshot: Snapshot, now: number): Iterable<string> {
  const { protocol, metadata, txns, tombstones, files } = snapshot;
  yield actionLine({ kind: 'protocol', value: protocol });
  yield actionLine({ kind: 'metadata', value: metadata });
  for (const [appId, version] of txns) yield actionLine({ kind: 'txn', value: { appId, version } });
  const expired = now - tombstoneMs(metadata);
  for (const value of tombstones.values()) {
    if (value.deletionTimestamp > expired) yield actionLine({ kind: 'remove', value });
  }
  for (const value of files.values()) yield actionLine({ kind: 'add', value });
}
