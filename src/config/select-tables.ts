/** What `--table` means. Pure. */

import { TidemarkError } from '../model/error.ts';
import { displayName, type TableSettings } from '../model/table.ts';
import { candidates, splitNames, writtenName } from '../model/table-pattern.ts';
import { type UnfitTable, unfitError } from './fitting-tables.ts';
import { ambiguous, type KnownTable, unknownTable } from './resolve-tables.ts';

/**
 * The configured tables that are named, each once, in the order of the names. `wanted`: the values of --table, each one name
 * or several with commas between them. `known`: every table of the source, to tell a skipped one from one that is not there.
 * Throws USAGE, TABLE_UNKNOWN, TABLE_AMBIGUOUS, and the error of a named table that is among the `unfit`.
 */
export function selectTables(
  wanted: string[],
  configured: TableSettings[],
  known: KnownTable[],
  unfit: UnfitTable[] = [],
): TableSettings[] {
  const selected = new Set<TableSettings>();
  for (const pattern of wanted.flatMap(splitNames)) {
    const written = writtenName(pattern);
    const there = candidates(pattern, known);
    if (there.length === 0) throw unknownTable(written, known);
    const found = there.flatMap(({ name }) =>
      configured.filter((each) => displayName(each.name) === displayName(name)),
    );
    if (found.length > 1) throw ambiguous(written, found);
    if (found.length === 0) {
      const error = unfitError(unfit, there[0].name);
      if (error) throw error;
      const table = displayName(there[0].name);
      throw new TidemarkError('TABLE_UNKNOWN', `${table} is in the source, but the configuration leaves it out`, {
        hint: 'give it an entry under tables:, without skip',
        table,
      });
    }
    selected.add(found[0]);
  }
  return [...selected];
}
