/** What the actions of a log add up to (PROTOCOL.md, "Action Reconciliation"). Pure. Invariant: actions are applied in the order of their versions. */

import { type Commit, fileKey, type Snapshot } from './actions.ts';
import type { Action } from './log-lines.ts';

/** A snapshot that is being put together. */
export type Replay = {
  protocol: Snapshot['protocol'] | null;
  metadata: Snapshot['metadata'] | null;
  timestamp: number | null;
} & Pick<Snapshot, 'txnId' | 'txns' | 'files' | 'tombstones' | 'tombstonesLeft'>;

export function emptyReplay(): Replay {
  const maps = { txns: new Map(), files: new Map(), tombstones: new Map() };
  return { protocol: null, metadata: null, timestamp: null, txnId: null, ...maps };
}

/** Goes on from a snapshot, which stays as it is. */
export function replayFrom({ version: _, txns, files, tombstones, ...rest }: Snapshot): Replay {
  return { ...rest, txns: new Map(txns), files: new Map(files), tombstones: new Map(tombstones) };
}

/** Applies one action, in place. */
export function apply(replay: Replay, action: Action): void {
  if (action.kind === 'protocol') replay.protocol = action.value;
  else if (action.kind === 'metadata') replay.metadata = action.value;
  else if (action.kind === 'txn') replay.txns.set(action.value.appId, action.value.version);
  else if (action.kind === 'info') {
    replay.timestamp = action.value.timestamp ?? replay.timestamp;
    replay.txnId = action.value.txnId ?? null;
  } else {
    const key = fileKey(action.value);
    const [into, outOf] = action.kind === 'add' ? [replay.files, replay.tombstones] : [replay.tombstones, replay.files];
    outOf.delete(key);
    (into as Map<string, unknown>).set(key, action.value);
  }
}

/** The version that the commit makes of the snapshot (null: of nothing). The first one brings protocol and metadata. */
export function snapshotAfter(
  snapshot: Snapshot | null,
  commit: Commit,
  { timestamp, txnId }: Pick<Snapshot, 'timestamp' | 'txnId'>,
): Snapshot {
  const replay = snapshot ? replayFrom(snapshot) : emptyReplay();
  for (const action of actionsOf(commit)) apply(replay, action);
  const [protocol, metadata] = [replay.protocol!, replay.metadata!];
  return { ...replay, protocol, metadata, version: (snapshot?.version ?? -1) + 1, timestamp, txnId };
}

/** The actions of a commit in the order of its lines, without its commitInfo. */
export function* actionsOf(commit: Commit): Iterable<Exclude<Action, { kind: 'info' }>> {
  if (commit.protocol) yield { kind: 'protocol', value: commit.protocol };
  if (commit.metadata) yield { kind: 'metadata', value: commit.metadata };
  if (commit.txn) yield { kind: 'txn', value: commit.txn };
  for (const value of commit.remove) yield { kind: 'remove', value };
  for (const value of commit.add) yield { kind: 'add', value };
}
