/** Looks for the changed keys in the files that may hold them. Invariant: no more of these are in the spool at once than has room there. */

import type { LiveFile } from './live-files.ts';
import { localFiles } from './local-files.ts';
import { addHits } from './matches.ts';
import { keyIndexes } from './read-files.ts';
import { sideBySide } from './side-by-side.ts';
import type { Staging } from './staging.ts';
import { loadVectors } from './vectors.ts';

const MOST = 16;

/** Fills `hits` and, for these files, `gone`. */
export async function addCandidates(staging: Staging, files: LiveFile[], signal: AbortSignal): Promise<void> {
  const { deps, root, columns, key, equality } = staging;
  const keys = keyIndexes(columns, key).map((column, i) => ({ name: key[i], column, equality: equality[i] }));
  await loadVectors(deps.lake, deps.connections[0], root, files, signal);
  await sideBySide(
    deps.connections,
    batches(files, deps.connections.length, deps.batchBytes),
    async (batch, connection, both) => {
      await using stack = new AsyncDisposableStack();
      const wanted = batch.map(({ path, size }) => ({ key: `${root}/${path}`, bytes: size }));
      const paths = await localFiles(deps.spool, wanted, stack, both);
      const local = batch.map(({ file }, i) => ({ file, path: paths[i] }));
      await addHits(connection, local, keys, both);
    },
    signal,
  );
}

/** Files read by one statement: enough to share its hash table, few enough to let the connections share the work by bytes. */
function batches(files: LiveFile[], workers: number, mostBytes: number): LiveFile[][] {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const limit = Math.min(mostBytes, total / (2 * workers));
  const result: LiveFile[][] = [];
  let bytes = 0;
  for (const file of files.toSorted((a, b) => b.size - a.size)) {
    const last = result.at(-1);
    if (last && last.length < MOST && bytes + file.size <= limit) {
      last.push(file);
      bytes += file.size;
    } else {
      result.push([file]);
      bytes = file.size;
    }
  }
  return result;
}
