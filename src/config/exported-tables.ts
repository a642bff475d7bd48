/** Which tables there are to compact, without a look at the source: the configuration's entries applied to what was exported. Pure. */

import { TidemarkError } from '../model/error.ts';
import { displayName, type TableName, type TableSettings } from '../model/table.ts';
import { candidates, isPattern, parsePattern, splitNames, writtenName } from '../model/table-pattern.ts';
import type { Config } from './config.ts';
import { nearest } from './nearest.ts';
import { ambiguous, type KnownTable, resolveTables } from './resolve-tables.ts';

/** A table that was exported to this folder. One that got another folder by `as:` is there twice. */
export type ExportedTable = KnownTable & { folder: string };

/**
 * Settings of every exported table that the configuration does not leave out, sorted by name; with `wanted` (the values of
 * --table) those of the named ones, each once, in the order of the names.
 * Throws USAGE, TABLE_UNKNOWN, TABLE_AMBIGUOUS, CONFIG_INVALID, FOLDER_CLASH.
 */
export function exportedTables(
  config: Pick<Config, 'tables' | 'defaults'>,
  exported: ExportedTable[],
  wanted?: string[],
): TableSettings[] {
  const byName = new Map(exported.map(({ name, columns }) => [displayName(name), { name, columns }]));
  const known = [...byName.values()];
  // An entry for a table that was not exported yet would be TABLE_UNKNOWN.
  const tables = config.tables.filter(
    ({ table }) => isPattern(table) || candidates(parsePattern(table), known).length > 0,
  );
  const folders = new Set(exported.map(({ name, folder }) => `${displayName(name)}\n${folder}`));
  const settings = resolveTables({ tables, defaults: config.defaults }, known);
  const there = settings.filter(({ name, folder }) => folders.has(`${displayName(name)}\n${folder}`));
  if (!wanted?.length) return there;
  const selected = wanted.flatMap(splitNames).map((pattern) => {
    const written = writtenName(pattern);
    const found = candidates(pattern, known);
    if (found.length > 1) throw ambiguous(written, found);
    if (found.length === 0) throw neverExported(written, known);
    const table = displayName(found[0].name);
    const settled = settings.find(({ name }) => name === found[0].name);
    if (!settled) {
      throw new TidemarkError('TABLE_UNKNOWN', `${table} was exported, but the configuration leaves it out`, {
        hint: 'give it an entry under tables:, without skip',
        table,
      });
    }
    if (!there.includes(settled)) {
      throw new TidemarkError('TABLE_UNKNOWN', `nothing of ${table} was exported to the folder ${settled.folder} yet`, {
        hint: `tidemark export --table ${table}`,
        table,
      });
    }
    return settled;
  });
  return [...new Set(selected)];
}

function neverExported(written: string, known: { name: TableName }[]): TidemarkError {
  // Two schemas may have a table of one name.
  const called = Map.groupBy(known, ({ name }) => name.table);
  const [short, whole] = [
    nearest(written, called.keys(), 3),
    nearest(
      written,
      known.map(({ name }) => displayName(name)),
      3,
    ),
  ];
  const near = [
    ...new Set([...short.flatMap((table) => called.get(table)!.map(({ name }) => displayName(name))), ...whole]),
  ];
  return new TidemarkError('TABLE_UNKNOWN', `no export has met a table ${written}`, {
    hint: near.length > 0 ? `did you mean ${near.slice(0, 3).join(', ')}?` : `tidemark export --table ${written}`,
    table: written,
  });
}
