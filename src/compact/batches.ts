/** Which runs one commit takes. Invariant: runs in their order, none left out; a full run alone, for it replaces everything. */

import type { Manifest } from '../manifest/manifest.ts';
import type { RawRun } from '../state/raw-runs.ts';

/** The next runs that the staged table has not seen; none: it is up to date. `keyed` false: full runs are all that can be taken. */
export async function nextBatch(
  manifest: Manifest,
  { folder, after, keyed, batchBytes }: { folder: string; after: bigint; keyed: boolean; batchBytes: number },
  until: { run?: bigint; at?: bigint },
  signal: AbortSignal,
): Promise<RawRun[]> {
  const runs = await manifest.runs(folder, after, until, signal);
  return takeBatch(keyed ? runs : runs.slice(0, 1).filter(({ full }) => full), batchBytes);
}

/** A full run, or runs of changes up to the next full one that are not too large together; always one at least. Pure. */
export function takeBatch(runs: RawRun[], batchBytes: number): RawRun[] {
  const batch: RawRun[] = [];
  let bytes = 0n;
  for (const run of runs) {
    if (batch.length > 0 && (run.full || batch[0].full || Number(bytes + run.bytes) > batchBytes)) break;
    batch.push(run);
    bytes += run.bytes;
  }
  return batch;
}
