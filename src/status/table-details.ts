/** What a table's own page shows beyond the first page. Invariant: no part waits long, and one that cannot be had does not hide the others. */

import { commitCounts } from '../compact/commit-counts.ts';
import { type HistoryEntry, history } from '../compact/delta/history.ts';
import type { Lake } from '../lake/lake.ts';
import { type TidemarkError, toTidemarkError } from '../model/error.ts';
import type { WrittenColumn } from '../model/run.ts';
import type { StateStore } from '../state/state-store.ts';
import type { TableFile, TableRun } from '../state/table-runs.ts';

const RUNS = 30;
const FILES = 20;
const VERSIONS = 20;
const PATIENCE_MS = 4_000;

export type Version = ReturnType<typeof commitCounts> & {
  version: number;
  /** Milliseconds since 1970. */
  at: number | null;
  operation: string | null;
  by: string | null;
};

/** A part of the page, or why it cannot be shown. */
export type Part<T> = { value: T } | { error: TidemarkError };

export type TableDetails = {
  runs: Part<TableRun[]>;
  files: Part<TableFile[]>;
  columns: Part<WrittenColumn[]>;
  versions: Part<Version[]>;
};

export async function tableDetails(
  { state, lake }: { state: StateStore; lake: Lake },
  folder: string,
  staged: boolean,
  signal: AbortSignal,
): Promise<TableDetails> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  const [runs, files, columns, versions] = await Promise.all([
    part(state.tableRuns(folder, RUNS, until), until),
    part(state.tableFiles(folder, FILES, until), until),
    part(
      state.rawTable(folder, until).then((raw) => raw?.columns ?? []),
      until,
    ),
    part(staged ? versionsOf(lake, folder, until) : Promise.resolve([]), until),
  ]);
  return { runs, files, columns, versions };
}

/** What does not come in time is left to end by itself. */
async function part<T>(promise: Promise<T>, until: AbortSignal): Promise<Part<T>> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const stop = () => reject(new Error('it does not answer'));
  if (until.aborted) stop();
  until.addEventListener('abort', stop, { once: true });
  try {
    return { value: await Promise.race([promise, late]) };
  } catch (error) {
    return { error: toTidemarkError(until.aborted ? new Error('it does not answer in time') : error) };
  } finally {
    until.removeEventListener('abort', stop);
    late.catch(() => {});
    promise.catch(() => {});
  }
}

async function versionsOf(lake: Lake, folder: string, signal: AbortSignal): Promise<Version[]> {
  const found: Version[] = [];
  for await (const entry of history({ lake, root: `staged/${folder}` }, signal)) {
    found.push(versionOf(entry));
    if (found.length >= VERSIONS) break;
  }
  return found;
}

function versionOf(entry: HistoryEntry): Version {
  const { version, timestamp, operation, engineInfo } = entry;
  return { version, at: timestamp, operation, by: engineInfo, ...commitCounts(entry) };
}
