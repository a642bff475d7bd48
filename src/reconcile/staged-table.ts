/** The staged table that the source is compared with. Invariant: it holds runs of this state store alone, by the key that exports write. */

import { isSameName } from '../compact/columns.ts';
import type { Snapshot } from '../compact/delta/actions.ts';
import { readSnapshot } from '../compact/delta/read-log.ts';
import { keyOf, throughRun } from '../compact/staging.ts';
import type { CompactDeps } from '../compact/work.ts';
import { TidemarkError } from '../model/error.ts';
import { keyOf as keyColumnsOf, type WrittenColumn } from '../model/run.ts';
import { displayName, type TableName, type TableSettings } from '../model/table.ts';

export type StagedTable = {
  /** `staged/<folder>` */
  root: string;
  snapshot: Snapshot;
  /** The key's columns as the staged table names them. */
  key: string[];
  /** Runs that it does not hold yet. */
  waitingRuns: bigint;
};

/** `columns`: as the last export wrote them. A text says why there is none to compare with. Throws STAGED_KEY, STAGED_*. */
export async function openStaged(
  { table, state }: CompactDeps,
  { name, folder }: TableSettings,
  columns: WrittenColumn[],
  signal: AbortSignal,
): Promise<StagedTable | string> {
  const root = `staged/${folder}`;
  const snapshot = await readSnapshot(table(root), signal);
  if (snapshot === null || throughRun(snapshot, state.id) === 0n) {
    const why = snapshot === null ? 'there is no staged table' : 'the staged table is of another state store';
    return `${why}: tidemark compact --table ${displayName(name)} comes first`;
  }
  const key = stagedKey(name, snapshot, columns);
  const status = (await state.stagedOf([folder], signal)).get(folder);
  return { root, snapshot, key, waitingRuns: status?.waiting.runs ?? 0n };
}

function stagedKey(name: TableName, snapshot: Snapshot, columns: WrittenColumn[]): string[] {
  const key = keyOf(snapshot) ?? [];
  const now = keyColumnsOf(columns).map((column) => column.name);
  if (key.length === now.length && key.every((each, i) => isSameName(each, now[i]))) return key;
  throw new TidemarkError('STAGED_KEY', `the key was (${key.join(', ')}) and is (${now.join(', ')}) now`, {
    table: displayName(name),
    hint: `tidemark export --full --table ${displayName(name)}, then compact`,
  });
}
