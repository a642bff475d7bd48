/**
 * Writes a version. Invariant: a version is written once, by one put-if-absent, and whoever wrote it is told by its txnId. Where a server
 * ignores the condition (`probePutIfAbsent` finds out) only the lease keeps two writers apart.
 */

import { randomUUID } from 'node:crypto';
import { TidemarkError, toTidemarkError } from '../../model/error.ts';
import { VERSION } from '../../version.ts';
import type { Commit, CommitInfo, Snapshot } from './actions.ts';
import { writeCheckpoint } from './checkpoint.ts';
import { actionLine } from './log-lines.ts';
import { commitKey } from './log-names.ts';
import { checkCommit } from './protocol.ts';
import { readCommit, readSnapshot } from './read-log.ts';
import { actionsOf, snapshotAfter } from './replay.ts';
import { type DeltaTable, isCode } from './table.ts';

export type DeltaWriter = DeltaTable & {
  /** Milliseconds since 1970. */
  now(): number;
  /** What failed after the commit and does not matter to it. */
  warn(problem: TidemarkError): void;
};

const CHECKPOINT_EVERY = 10;
/** Of more files and tombstones a checkpoint takes a second and more: compacted every few seconds, a table would be busy with those of its tombstones. */
const LARGE = 10_000;
const LARGE_EVERY = 100;

/**
 * Writes the version after the snapshot (0 after null) and returns it; `conflict` when somebody else has written that version. Every
 * tenth version gets a checkpoint, of a large table every hundredth. Throws STAGED_UNSUPPORTED, before anything is written, when the table asks for what this writer
 * cannot do. After an error of the lake or a stop the outcome is unknown: read the log, and look for the txn.
 */
export async function commit(
  writer: DeltaWriter,
  snapshot: Snapshot | null,
  commit: Commit,
  signal: AbortSignal,
): Promise<Snapshot | 'conflict'> {
  const protocol = commit.protocol ?? snapshot?.protocol;
  const metadata = commit.metadata ?? snapshot?.metadata;
  if (!protocol || !metadata) throw new TidemarkError('INTERNAL', 'a first commit has a protocol and metadata');
  if (snapshot) checkCommit(snapshot.protocol, snapshot.metadata, { ...commit, add: [] });
  checkCommit(protocol, metadata, commit);

  const version = snapshot === null ? 0 : snapshot.version + 1;
  const info: CommitInfo = {
    timestamp: writer.now(),
    ...commit.info,
    engineInfo: `tidemark/${VERSION}`,
    txnId: randomUUID(),
  };
  const lines = [{ kind: 'info' as const, value: info }, ...actionsOf(commit)].map(
    (action) => `${actionLine(action)}\n`,
  );
  const body = Buffer.from(lines.join(''));
  if (!(await put(writer, version, body, info.txnId, signal))) return 'conflict';
  if (version === 0) await warnOfIgnoredCondition(writer, body, signal);

  const next = snapshotAfter(snapshot, commit, info);
  return isCheckpointDue(next) ? await tryCheckpoint(writer, next, signal) : next;
}

function isCheckpointDue({ version, files, tombstones, tombstonesLeft = 0 }: Snapshot): boolean {
  const isLarge = files.size + tombstones.size + tombstonesLeft > LARGE;
  return version > 0 && version % (isLarge ? LARGE_EVERY : CHECKPOINT_EVERY) === 0;
}

/** Whether the version is ours now. */
async function put(
  writer: DeltaWriter,
  version: number,
  body: Buffer,
  txnId: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    if ((await writer.lake.putIfAbsent(commitKey(writer.root, version), body, signal)) === 'created') return true;
    return (await txnIdOf(writer, version, signal)) === txnId;
  } catch (error) {
    signal.throwIfAborted();
    // A timeout or a 5xx answer: it may have been written all the same.
    const holder = await txnIdOf(writer, version, signal).catch(() => undefined);
    if (holder === undefined) throw error;
    return holder === txnId;
  }
}

/** Once for each table, by the same bytes once more: two writers that believe in the condition would overwrite each other's commits. */
async function warnOfIgnoredCondition(writer: DeltaWriter, body: Buffer, signal: AbortSignal): Promise<void> {
  const again = await writer.lake.putIfAbsent(commitKey(writer.root, 0), body, signal).catch(() => 'exists');
  if (again === 'exists') return;
  const message =
    'the server writes over a key in spite of If-None-Match: only the lease keeps two writers of a table apart';
  writer.warn(new TidemarkError('LAKE_FAILED', message, { hint: 'let no other tool write to staged tables there' }));
}

/** Who wrote the version: null when it does not say, undefined when the version is not there. */
async function txnIdOf(writer: DeltaWriter, version: number, signal: AbortSignal): Promise<string | null | undefined> {
  try {
    const actions = await readCommit(writer, version, signal);
    return actions.find((action) => action.kind === 'info')?.value.txnId ?? null;
  } catch (error) {
    if (isCode(error, 'LAKE_NOT_FOUND')) return undefined;
    throw error;
  }
}

/** The version is there, whatever becomes of its checkpoint: the next one is ten versions on. Returns the snapshot, or the same one whole. */
async function tryCheckpoint(writer: DeltaWriter, snapshot: Snapshot, signal: AbortSignal): Promise<Snapshot> {
  let whole = snapshot;
  try {
    // Without all tombstones a checkpoint would give files to the next vacuum that readers of older versions still need.
    if (snapshot.tombstonesLeft) whole = (await readSnapshot(writer, signal, snapshot.version)) ?? snapshot;
    if (!whole.tombstonesLeft) await writeCheckpoint(writer, whole, writer.now(), signal);
  } catch (error) {
    if (!signal.aborted) writer.warn(toTidemarkError(error));
  }
  return whole;
}
