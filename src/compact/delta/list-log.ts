/** Lists a table's log. Invariant: costs what there is after `from`, not the table's whole history. */

import { checkpointKeys, keyBefore, lastCheckpointKey, logFolder, parseLogName } from './log-names.ts';
import { type DeltaTable, isCode } from './table.ts';

export type Checkpoint = { version: number; parts: number; modified: Date };

export type LogListing = {
  /** By version: when its commit was written. */
  commits: Map<number, Date>;
  /** Complete ones, oldest first. */
  checkpoints: Checkpoint[];
  /** There are V2 checkpoints, which are not read here. */
  uuidCheckpoints: boolean;
  /** The newest version that is named; -1 when the log is empty. */
  newest: number;
};

/** The log's files of versions `from` to `to`. */
export async function listLog(
  { lake, root }: Pick<DeltaTable, 'lake' | 'root'>,
  from: number,
  signal: AbortSignal,
  to = Number.POSITIVE_INFINITY,
): Promise<LogListing> {
  const commits = new Map<number, Date>();
  const parts = new Map<string, { checkpoint: Checkpoint; found: Set<number> }>();
  let uuidCheckpoints = false;
  const folder = logFolder(root);
  for await (const { key, modified } of lake.list(folder, signal, keyBefore(root, from))) {
    const file = parseLogName(key.slice(folder.length));
    // Log compactions go by their last version, and stand among the commits by their first.
    if (file === null || file.kind === 'other') continue;
    if (file.version > to) break;
    if (file.kind === 'commit') commits.set(file.version, modified);
    if (file.kind === 'uuid-checkpoint') uuidCheckpoints = true;
    if (file.kind !== 'checkpoint') continue;
    // A version may have a checkpoint of one part and one of several, by different writers.
    const name = `${file.version}/${file.parts}`;
    const known = parts.get(name) ?? { checkpoint: { ...file, modified }, found: new Set() };
    parts.set(name, known);
    known.found.add(file.part);
  }
  const checkpoints = [...parts.values()]
    .filter(({ checkpoint, found }) => found.size === checkpoint.parts)
    .map(({ checkpoint: { version, parts, modified } }) => ({ version, parts, modified }))
    .sort((a, b) => a.version - b.version);
  const newest = Math.max(-1, ...[...commits.keys()].slice(-1), ...checkpoints.slice(-1).map(({ version }) => version));
  return { commits, checkpoints, uuidCheckpoints, newest };
}

/** The version that `_last_checkpoint` names: a hint, which may be stale. Null when there is none that can be read. */
export async function lastCheckpoint(
  { lake, root }: Pick<DeltaTable, 'lake' | 'root'>,
  signal: AbortSignal,
): Promise<number | null> {
  try {
    const { version } = JSON.parse((await lake.get(lastCheckpointKey(root), signal)).toString());
    return Number.isSafeInteger(version) && version >= 0 ? version : null;
  } catch (error) {
    // Cut by a crash of a writer that does not write it whole.
    if (error instanceof SyntaxError || error instanceof TypeError || isCode(error, 'LAKE_NOT_FOUND')) return null;
    throw error;
  }
}

/** The lines of a checkpoint. */
export async function readCheckpoint(
  { lake, root, checkpoints }: DeltaTable,
  { version, parts }: Checkpoint,
  signal: AbortSignal,
): Promise<string[]> {
  const bodies = await Promise.all(checkpointKeys(root, version, parts).map((key) => lake.get(key, signal)));
  return checkpoints.read(bodies, signal);
}
