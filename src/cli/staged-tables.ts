/** Which tables a command on staged tables is about. Invariant: the source is not contacted; the state store knows the tables. */

import type { Config } from '../config/config.ts';
import { exportedTables } from '../config/exported-tables.ts';
import { TidemarkError } from '../model/error.ts';
import { displayName, type TableName, type TableSettings } from '../model/table.ts';
import type { StateStore } from '../state/state-store.ts';

/** All tables that were exported and are configured, or those named by --table. Throws STATE_*, TABLE_*, FOLDER_CLASH. */
export async function stagedTables(
  config: Config,
  state: StateStore,
  wanted: { table?: string[] },
  signal: AbortSignal,
): Promise<TableSettings[]> {
  return exportedTables(config, await state.exported(signal), wanted.table);
}

export function notStaged(name: TableName): TidemarkError {
  const table = displayName(name);
  return new TidemarkError('STAGED_MISSING', `there is no staged table of ${table} yet`, {
    hint: `tidemark compact --table ${table} makes it`,
    table,
  });
}
