/** Which tables there are now. Invariant: an entry for a table that is gone does not keep the others from being exported. */

import type { Config } from '../config/config.ts';
import { type KnownTable, resolveTables, unknownTable } from '../config/resolve-tables.ts';
import { candidates, isPattern, parsePattern } from '../config/table-pattern.ts';
import type { TidemarkError } from '../model/error.ts';
import type { TableSettings } from '../model/table.ts';

/** `missing`: an error for each entry whose table is not there. Throws what resolveTables throws besides. */
export function findTables(
  config: Pick<Config, 'tables' | 'defaults'>,
  known: KnownTable[],
): { tables: TableSettings[]; missing: TidemarkError[] } {
  const missing: TidemarkError[] = [];
  const tables = config.tables.filter(({ table, skip }) => {
    if (isPattern(table) || candidates(parsePattern(table), known).length > 0) return true;
    if (!skip) missing.push(unknownTable(table, known));
    return false;
  });
  return { tables: resolveTables({ tables, defaults: config.defaults }, known), missing };
}
