/** What the state store keeps of an archive. Pure. */

import type { Archive, ArchivedRun } from '../state/archives.ts';

/** Of some runs, in order, at least one. */
export function summaryOf(key: string, runs: readonly ArchivedRun[]): Archive {
  const full = runs.findLast((run) => run.full);
  return {
    key,
    fromRun: runs[0].run,
    toRun: runs.at(-1)!.run,
    runs: runs.length,
    files: runs.reduce((sum, run) => sum + run.files.length, 0),
    rows: runs.reduce((sum, run) => sum + run.rows, 0n),
    bytes: runs.reduce((sum, run) => sum + run.bytes, 0n),
    // Text of one form: it compares as instants do.
    fromAt: runs.reduce((least, { snapshotAt }) => (snapshotAt < least ? snapshotAt : least), runs[0].snapshotAt),
    since: runs[0].finishedAt,
    asOf: runs.findLast(({ kind, repeats }) => kind === 'export' && repeats === null)?.snapshotAt ?? null,
    full: full ? { run: full.run, at: full.snapshotAt } : null,
  };
}

/** Neighbours, all in order, that fit into one archive together; `most` counts their files and runs. `through`: the staged table's last run. */
export function joinable(archives: readonly Archive[], through: bigint, most: number): Archive[][] {
  const groups: Archive[][] = [];
  let size = 0;
  for (const archive of archives) {
    const own = archive.runs + archive.files;
    const last = groups.at(-1);
    // What waits for a compaction and what does not stay apart: they are counted by whole archives.
    const isSameSide = last !== undefined && last[0].toRun <= through === archive.toRun <= through;
    if (isSameSide && size + own <= most) last.push(archive);
    else groups.push([archive]);
    size = groups.at(-1) === last ? size + own : own;
  }
  return groups.filter((group) => group.length > 1);
}
