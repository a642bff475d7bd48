/**
 * What vacuum deletes of a staged table's folder. Pure. Invariant: whoever opened a version within the retention still finds
 * every file of it, and no file goes that a writer may be about to commit.
 */

import type { AddFile, RemoveFile, Snapshot } from './delta/actions.ts';
import { vectorPath } from './delta/deletion-vector.ts';

type Referring = Pick<AddFile, 'path' | 'deletionVector'>;

/** Paths below the table's folder. */
export type Referenced = {
  /** Of the newest version. */
  live: ReadonlySet<string>;
  /** Removed within the retention: versions from before still name them. */
  recent: ReadonlySet<string>;
  /** Removed earlier. */
  expired: ReadonlySet<string>;
};

/** Milliseconds since 1970. */
export type Cutoffs = {
  /** What was removed before it may go. */
  removed: number;
  /** Files that no version is known to name may go when they are older. */
  orphaned: number;
};

/** Between writing a file and committing it a large compaction may take hours; so an orphan is at least this old, whatever the retention. */
const LEAST_ORPHAN_MS = 86_400_000;

export function cutoffs(now: number, retentionMs: number): Cutoffs {
  return { removed: now - retentionMs, orphaned: now - Math.max(retentionMs, LEAST_ORPHAN_MS) };
}

/**
 * The files and deletion vectors that versions name. `removed`: what the log tells beyond the snapshot's tombstones, which
 * checkpoints drop after `delta.deletedFileRetentionDuration`. `root`: the table's folder, which absolute paths are cut down to.
 */
export function referenced(
  snapshot: Pick<Snapshot, 'files' | 'tombstones'>,
  removed: Iterable<RemoveFile>,
  { removed: cutoff }: Cutoffs,
  root: string,
): Referenced {
  const [live, recent, expired] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const note = (into: Set<string>, file: Referring) => {
    for (const path of pathsOf(file)) into.add(below(path, root));
  };
  for (const file of snapshot.files.values()) note(live, file);
  for (const removes of [snapshot.tombstones.values(), removed]) {
    for (const file of removes) note(file.deletionTimestamp >= cutoff ? recent : expired, file);
  }
  return { live, recent, expired };
}

function pathsOf(file: Referring): string[] {
  const vector = file.deletionVector && vectorPath(file.deletionVector);
  return vector ? [file.path, vector] : [file.path];
}

/** Other writers may name a file by its whole URL. */
function below(path: string, root: string): string {
  const at = /^(\/|[a-z][a-z0-9+.-]*:)/i.test(path) ? path.indexOf(`/${root}/`) : -1;
  return at < 0 ? path : path.slice(at + root.length + 2);
}

export type Fate = 'live' | 'recent' | 'young' | 'hidden' | 'delete';

/** What becomes of a file of the folder. `modified`: milliseconds since 1970, by the lake's clock. */
export function fateOf(path: string, modified: number, { live, recent, expired }: Referenced, cut: Cutoffs): Fate {
  // The log, and what other programs keep beside the data: `_delta_log/`, `_change_data/`, `.crc`.
  if (path.split('/').some((part) => /^[_.]/.test(part))) return 'hidden';
  if (live.has(path)) return 'live';
  if (recent.has(path)) return 'recent';
  return modified < (expired.has(path) ? cut.removed : cut.orphaned) ? 'delete' : 'young';
}
