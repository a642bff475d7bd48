/**
 * Reads a table's log. Invariant: what comes out is exactly one version, whatever other processes commit, checkpoint or clean up
 * meanwhile; a checkpoint or a hint that is broken only makes it slower while the commits before it are there.
 */

import { TidemarkError } from '../../model/error.ts';
import type { Snapshot } from './actions.ts';
import { type Checkpoint, type LogListing, lastCheckpoint, listLog, readCheckpoint } from './list-log.ts';
import { type Action, parseLine } from './log-lines.ts';
import { commitKey } from './log-names.ts';
import { checkReadable } from './protocol.ts';
import { apply, emptyReplay, type Replay, replayFrom } from './replay.ts';
import { brokenLog, type DeltaTable, isCode } from './table.ts';

// What a listing names may be cleaned up before it is read: then once more from the start.
const ATTEMPTS = 3;
const COMMITS_IN_FLIGHT = 16;
// Beyond it a checkpoint is quicker than the commits.
const MOST_COMMITS = 50;

/**
 * The newest version, or just `version`; null when there is no log. Throws STAGED_VERSION when that version is gone or not there
 * yet, STAGED_UNSUPPORTED when the table needs a feature that is not known here, STAGED_BROKEN when the log cannot be read.
 */
export async function readSnapshot(table: DeltaTable, signal: AbortSignal, version?: number): Promise<Snapshot | null> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readOnce(table, signal, version);
    } catch (error) {
      if (!isCode(error, 'LAKE_NOT_FOUND')) throw error;
      if (attempt < ATTEMPTS) continue;
      if (version !== undefined) throw noVersion(table.root, version, 'it is there no more', error);
      throw brokenLog(table.root, `a file is missing: ${(error as TidemarkError).place.key}`, error);
    }
  }
}

/** The newest version: the snapshot itself when it is that. Throws as readSnapshot. */
export async function refreshSnapshot(table: DeltaTable, snapshot: Snapshot, signal: AbortSignal): Promise<Snapshot> {
  const log = await listLog(table, snapshot.version, signal);
  if (log.newest === snapshot.version) return snapshot;
  if (log.newest > snapshot.version && log.newest - snapshot.version <= MOST_COMMITS) {
    try {
      return await extend(table, replayFrom(snapshot), snapshot.version, log, signal);
    } catch (error) {
      if (!isCode(error, 'LAKE_NOT_FOUND')) throw error;
    }
  }
  const read = await readSnapshot(table, signal);
  if (read === null) throw brokenLog(table.root, 'it is gone');
  return read;
}

async function readOnce(table: DeltaTable, signal: AbortSignal, version?: number): Promise<Snapshot | null> {
  const hint = await lastCheckpoint(table, signal);
  for (const from of startsOf(hint, version)) {
    const log = await listLog(table, from, signal, version);
    const base = await newestBase(table, log, signal);
    if (base.replay === null) {
      if (from > 0) continue;
      return nothingToRead(table, log, hint, base.broken, signal, version);
    }
    // A listing from the hint may begin after a version that is there.
    if (version !== undefined && log.newest < version) {
      throw noVersion(table.root, version, `the newest one is ${log.newest}`);
    }
    return extend(table, base.replay, base.version, log, signal);
  }
  throw brokenLog(table.root, 'no start');
}

/** Null when there is no log; throws when there is one without a beginning. */
async function nothingToRead(
  table: DeltaTable,
  log: LogListing,
  hint: number | null,
  broken: unknown,
  signal: AbortSignal,
  version?: number,
): Promise<null> {
  if (log.uuidCheckpoints) throw v2Checkpoints(table.root);
  // A listing up to the version does not see what came after it.
  const { newest } = version === undefined ? log : await listLog(table, 0, signal);
  if (newest === -1 && hint === null) return null;
  if (version !== undefined && newest >= version) {
    throw noVersion(table.root, version, 'it is there no more', broken);
  }
  throw brokenLog(table.root, 'neither a checkpoint that can be read nor the first commit is there', broken);
}

/** Where the listing begins: near the checkpoint that is meant first, then at the start of everything. */
function startsOf(hint: number | null, version: number | undefined): number[] {
  if (version === undefined) return hint === null || hint === 0 ? [0] : [hint, 0];
  const near = hint !== null && hint <= version ? hint : Math.max(0, version - 100);
  return near === 0 ? [0] : [near, 0];
}

/** The newest checkpoint that can be read, or the state before the first commit. `broken`: why a newer one cannot. */
async function newestBase(table: DeltaTable, log: LogListing, signal: AbortSignal) {
  let broken: unknown;
  for (const checkpoint of log.checkpoints.toReversed()) {
    try {
      return { replay: await replayCheckpoint(table, checkpoint, signal), version: checkpoint.version };
    } catch (error) {
      if (!isCode(error, 'STAGED_BROKEN')) throw error;
      broken ??= error;
    }
  }
  return { replay: log.commits.has(0) ? emptyReplay() : null, version: -1, broken };
}

async function replayCheckpoint(table: DeltaTable, checkpoint: Checkpoint, signal: AbortSignal): Promise<Replay> {
  const replay = emptyReplay();
  const what = `checkpoint ${checkpoint.version}`;
  for (const action of parseLines(table.root, what, await readCheckpoint(table, checkpoint, signal)))
    apply(replay, action);
  if (!replay.protocol || !replay.metadata) throw brokenLog(table.root, `${what} has no protocol or no metadata`);
  return replay;
}

/** Applies the commits after `version` up to the newest that is listed. */
async function extend(
  table: DeltaTable,
  replay: Replay,
  version: number,
  log: LogListing,
  signal: AbortSignal,
): Promise<Snapshot> {
  const { newest } = log;
  for await (const actions of commitsOf(table, version + 1, newest, signal)) {
    [replay.timestamp, replay.txnId] = [null, null];
    for (const action of actions) apply(replay, action);
  }
  const { protocol, metadata } = replay;
  if (!protocol || !metadata) throw brokenLog(table.root, 'its first commit has no protocol or no metadata');
  checkReadable(protocol, metadata);
  const { timestamp, txnId } = replay;
  const info = timestamp === null ? await infoOf(table, newest, log, signal) : { timestamp, txnId };
  return { ...replay, protocol, metadata, version: newest, ...info };
}

type Info = Pick<Snapshot, 'timestamp' | 'txnId'>;

/** A checkpoint does not say when its version was committed, nor by whom. */
async function infoOf(table: DeltaTable, version: number, log: LogListing, signal: AbortSignal): Promise<Info> {
  const replay = emptyReplay();
  if (log.commits.has(version)) {
    for (const action of await readCommit(table, version, signal)) apply(replay, action);
  }
  const modified = log.commits.get(version) ?? log.checkpoints.at(-1)?.modified ?? new Date(0);
  return { timestamp: replay.timestamp ?? modified.getTime(), txnId: replay.txnId };
}

/** The actions of each commit, oldest first; some are fetched ahead. Throws LAKE_NOT_FOUND. */
async function* commitsOf(
  table: DeltaTable,
  first: number,
  last: number,
  signal: AbortSignal,
): AsyncIterable<Action[]> {
  const ahead: Promise<Action[]>[] = [];
  for (let version = first, next = first; version <= last; version++) {
    for (; next <= last && ahead.length < COMMITS_IN_FLIGHT; next++) {
      const commit = readCommit(table, next, signal);
      // Those behind one that fails are nobody's.
      commit.catch(() => {});
      ahead.push(commit);
    }
    yield await ahead.shift()!;
  }
}

/** The actions of one commit. Throws LAKE_NOT_FOUND, STAGED_BROKEN. */
export async function readCommit(
  { lake, root }: Pick<DeltaTable, 'lake' | 'root'>,
  version: number,
  signal: AbortSignal,
): Promise<Action[]> {
  const body = await lake.get(commitKey(root, version), signal);
  return parseLines(root, `commit ${version}`, body.toString().split('\n'));
}

function parseLines(root: string, what: string, lines: string[]): Action[] {
  try {
    return lines.flatMap((line) => (line.trim() === '' ? [] : (parseLine(line) ?? [])));
  } catch (error) {
    if (error instanceof TidemarkError) throw error;
    throw brokenLog(root, `${what} holds what is no action`, error);
  }
}

function noVersion(root: string, version: number, why: string, cause?: unknown): TidemarkError {
  const hint = '`tidemark history` lists the versions there are';
  return new TidemarkError('STAGED_VERSION', `${root} has no version ${version}: ${why}`, { hint, cause });
}

function v2Checkpoints(root: string): TidemarkError {
  return new TidemarkError(
    'STAGED_UNSUPPORTED',
    `the log of ${root} has V2 checkpoints, which tidemark does not read`,
    {
      hint: "set delta.checkpointPolicy to 'classic' there, or make the table anew with `tidemark compact --rebuild`",
    },
  );
}
