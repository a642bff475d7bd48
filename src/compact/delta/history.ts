/** What each version did, by its commit. */

import type { CommitInfo } from './actions.ts';
import { lastCheckpoint, listLog } from './list-log.ts';
import type { Txn } from './log-lines.ts';
import { readCommit } from './read-log.ts';
import { type DeltaTable, isCode } from './table.ts';

export type HistoryEntry = {
  version: number;
  /** Milliseconds since 1970. */
  timestamp: number | null;
  /** As its writer named it: `MERGE`, `OPTIMIZE` …; null when it does not say. */
  operation: string | null;
  parameters: Record<string, unknown>;
  metrics: Record<string, unknown>;
  engineInfo: string | null;
  txns: Txn[];
  filesAdded: number;
  filesRemoved: number;
  bytesAdded: number;
};

const AHEAD = 4;

/** Newest first, down to the oldest commit that is there; nothing when there is no log. Throws STAGED_BROKEN for a commit that cannot be read. */
export async function* history(
  table: Pick<DeltaTable, 'lake' | 'root'>,
  signal: AbortSignal,
): AsyncIterable<HistoryEntry> {
  const hint = await lastCheckpoint(table, signal);
  let { newest } = await listLog(table, hint ?? 0, signal);
  if (newest === -1 && hint) newest = (await listLog(table, 0, signal)).newest;
  const ahead: Promise<HistoryEntry | null>[] = [];
  for (let next = newest; ; ) {
    for (; next >= 0 && ahead.length < AHEAD; next--) {
      const entry = readEntry(table, next, signal);
      // Whoever stops reading leaves these.
      entry.catch(() => {});
      ahead.push(entry);
    }
    const entry = await ahead.shift();
    // The first one that is gone was cleaned up, and with it all before it.
    if (!entry) return;
    yield entry;
  }
}

async function readEntry(
  table: Pick<DeltaTable, 'lake' | 'root'>,
  version: number,
  signal: AbortSignal,
): Promise<HistoryEntry | null> {
  try {
    const actions = await readCommit(table, version, signal);
    const info: Partial<CommitInfo> = actions.find((action) => action.kind === 'info')?.value ?? {};
    const added = actions.filter((action) => action.kind === 'add');
    return {
      version,
      timestamp: info.timestamp ?? null,
      operation: info.operation ?? null,
      parameters: info.operationParameters ?? {},
      metrics: info.operationMetrics ?? {},
      engineInfo: info.engineInfo ?? null,
      txns: actions.filter((action) => action.kind === 'txn').map(({ value }) => value),
      filesAdded: added.length,
      filesRemoved: actions.filter((action) => action.kind === 'remove').length,
      bytesAdded: added.reduce((sum, { value }) => sum + value.size, 0),
    };
  } catch (error) {
    if (isCode(error, 'LAKE_NOT_FOUND')) return null;
    throw error;
  }
}
