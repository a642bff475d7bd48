/** Which configured tables the source has now. Invariant: an entry that does not fit keeps no other table from being exported. Pure. */

import type { TidemarkError } from '../model/error.ts';
import { displayName, type TableName, type TableSettings } from '../model/table.ts';
import { candidates, isPattern, parsePattern } from '../model/table-pattern.ts';
import type { Config } from './config.ts';
import { folderClashes } from './folders.ts';
import { ambiguous, type KnownTable, settleTables, unknownTable } from './resolve-tables.ts';

/** A table that is meant and cannot be exported; `name` as the configuration has it, where the source does not know it. */
export type UnfitTable = { name: TableName; error: TidemarkError };

/**
 * Settings as resolveTables() makes them. `unfit`: tables that were dropped or renamed since they were configured, names that
 * came to mean two tables, and tables that would share a folder. Throws CONFIG_INVALID (two entries for one table).
 */
export function fittingTables(
  config: Pick<Config, 'tables' | 'defaults'>,
  known: KnownTable[],
): { tables: TableSettings[]; unfit: UnfitTable[] } {
  const unfit: UnfitTable[] = [];
  const entries = config.tables.filter(({ table: written, skip }) => {
    if (isPattern(written)) return true;
    const { schema, table } = parsePattern(written);
    const found = candidates({ schema, table }, known);
    if (found.length === 1) return true;
    const name = { schema: schema?.text ?? 'public', table: table.text };
    if (found.length > 1) unfit.push({ name, error: ambiguous(written, found) });
    // What is to be skipped may be gone.
    else if (!skip) unfit.push({ name, error: unknownTable(written, known) });
    return false;
  });
  const settings = settleTables({ tables: entries, defaults: config.defaults }, known);
  const clashes = folderClashes(settings);
  for (const [{ name }, error] of clashes) unfit.push({ name, error });
  return { tables: settings.filter((each) => !clashes.has(each)), unfit };
}

/** The error of the table, if it is an unfit one. */
export function unfitError(unfit: UnfitTable[], name: TableName): TidemarkError | undefined {
  return unfit.find((each) => displayName(each.name) === displayName(name))?.error;
}
