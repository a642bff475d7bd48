/** Which tables are exported, and how: the configuration's entries applied to the tables that the database has. Pure. */

import { TidemarkError } from '../model/error.ts';
import type { Expectations } from '../model/expectations.ts';
import { displayName, type TableName, type TableSchedule, type TableSettings } from '../model/table.ts';
import { candidates, isPattern, matches, parsePattern, type TablePattern, weight } from '../model/table-pattern.ts';
import type { Config, Defaults, TableEntry, TableScheduleEntry } from './config.ts';
import { checkFolders, defaultFolder } from './folders.ts';
import { nearest } from './nearest.ts';

/** What the catalog must tell of a table; listTables() returns more. */
export type KnownTable = { name: TableName; columns: string[] };

type Applied = { entry: TableEntry; specific: boolean; weight: number; place: number };

/**
 * Settings of every table that is to be exported, sorted by name. A table's own entry wins over patterns, a pattern with more
 * fixed text over one with less, the later of equals over the earlier; the strongest says whether it is skipped.
 * Throws TABLE_UNKNOWN, TABLE_AMBIGUOUS, CONFIG_INVALID (two entries for one table), FOLDER_CLASH.
 */
export function resolveTables(config: Pick<Config, 'tables' | 'defaults'>, known: KnownTable[]): TableSettings[] {
  const settings = settleTables(config, known);
  checkFolders(settings);
  return settings;
}

/** The same, without a look at whether two have one folder. */
export function settleTables(config: Pick<Config, 'tables' | 'defaults'>, known: KnownTable[]): TableSettings[] {
  const entries = config.tables.map((entry) => ({ entry, pattern: parsePattern(entry.table) }));
  const applied = new Map<KnownTable, Applied[]>();
  const apply = (table: KnownTable, one: Applied) => applied.set(table, [...(applied.get(table) ?? []), one]);
  for (const [place, { entry, pattern }] of entries.entries()) {
    if (isPattern(entry.table)) {
      for (const table of known) {
        if (matches(pattern, table.name)) apply(table, { entry, specific: false, weight: weight(pattern), place });
      }
    } else {
      const table = theTable(entry, pattern, known);
      if (!table) continue;
      if (applied.get(table)?.some(({ specific }) => specific)) {
        const message = `${displayName(table.name)} has two entries under tables:`;
        throw new TidemarkError('CONFIG_INVALID', message, {
          hint: 'make one of them',
          table: displayName(table.name),
        });
      }
      apply(table, { entry, specific: true, weight: 0, place });
    }
  }
  return (
    [...applied]
      .map(([table, all]) => ({ table, all: all.sort(byStrength) }))
      // A table's own entry without `skip` brings it back when a pattern skips all.
      .filter(({ all }) => !all.at(-1)!.entry.skip)
      .map(({ table, all }) => settingsOf(table, all, config.defaults))
      .sort((a, b) => (displayName(a.name) < displayName(b.name) ? -1 : 1))
  );
}

function byStrength(a: Applied, b: Applied): number {
  return Number(a.specific) - Number(b.specific) || a.weight - b.weight || a.place - b.place;
}

function theTable(entry: TableEntry, pattern: TablePattern, known: KnownTable[]): KnownTable | null {
  const found = candidates(pattern, known);
  if (found.length === 1) return found[0];
  // What is to be skipped may be gone.
  if (found.length === 0 && entry.skip) return null;
  throw found.length === 0 ? unknownTable(entry.table, known) : ambiguous(entry.table, found);
}

/** TABLE_UNKNOWN with the names that look like it. */
export function unknownTable(written: string, known: { name: TableName }[]): TidemarkError {
  const names = known.map(({ name }) => displayName(name));
  const short = new Map(known.map(({ name }) => [displayName(name).replace(/^public\./, ''), displayName(name)]));
  const near = [
    ...new Set([...nearest(written, short.keys(), 3).map((name) => short.get(name)!), ...nearest(written, names, 3)]),
  ];
  return new TidemarkError('TABLE_UNKNOWN', `there is no table ${written} in the source that tidemark may see`, {
    hint:
      near.length > 0
        ? `did you mean ${near.slice(0, 3).join(', ')}?`
        : `it sees ${names.length} tables; views and partitions are none of them`,
    table: written,
  });
}

/** TABLE_AMBIGUOUS, listing them. */
export function ambiguous(written: string, found: { name: TableName }[]): TidemarkError {
  const names = found.map(({ name }) => displayName(name));
  return new TidemarkError('TABLE_AMBIGUOUS', `${written} may be ${names.join(' or ')}`, {
    hint: 'write it with its schema',
    table: written,
  });
}

function settingsOf(table: KnownTable, all: Applied[], defaults: Defaults): TableSettings {
  // What a pattern says of columns counts where the table has them: `exclude: [password]` over every table.
  const has = (column: string) => table.columns.includes(column);
  const said = all.map(({ entry, specific }) => (specific ? entry : onlyColumns(entry, has)));
  const entry: Omit<TableEntry, 'table'> = Object.assign({}, ...said.map(defined));
  const { cursor } = entry;
  return {
    name: table.name,
    folder: entry.as ?? defaultFolder(table.name),
    key: entry.key ?? 'default',
    cursor: cursor === undefined ? 'default' : cursor === 'none' ? 'none' : { column: cursor },
    exclude: entry.exclude ?? [],
    columns: Object.assign({}, ...said.map(({ columns }) => columns)),
    where: entry.where ?? null,
    start: entry.start ?? null,
    timezone: entry.timezone ?? null,
    lateMs: entry.late ?? defaults.lateMs,
    marginMs: entry.margin ?? defaults.marginMs,
    fileBytes: entry.file_size ?? defaults.fileBytes,
    chunkBytes: defaults.chunkBytes,
    readers: entry.readers ?? defaults.readers,
    compression: entry.compression ?? defaults.compression,
    leaseMs: defaults.leaseMs,
    merge: entry.merge ?? defaults.merge,
    ...(entry.expect && { expect: expectationsOf(entry.expect) }),
    ...scheduleOf(said),
  };
}

function expectationsOf({ columns, not_null, accepted, on_break }: NonNullable<TableEntry['expect']>): Expectations {
  return {
    closed: columns === 'closed',
    notNull: not_null ?? [],
    accepted: accepted ?? {},
    onBreak: on_break ?? 'stop',
  };
}

/** What any of the entries says, the strongest last; none: the key is absent. */
function scheduleOf(said: TableEntry[]): Pick<TableSettings, 'schedule'> {
  const all = said.flatMap(({ schedule }) => (schedule ? [defined(schedule)] : []));
  if (all.length === 0) return {};
  const { compact_after, ...schedule }: TableScheduleEntry = Object.assign({}, ...all);
  return { schedule: { ...schedule, ...(compact_after && { compactAfter: compactAfterOf(compact_after) }) } };
}

export function compactAfterOf({ rows, time }: { rows?: number; time?: number }): TableSchedule['compactAfter'] {
  return { rows: rows ?? null, ms: time ?? null };
}

function onlyColumns(entry: TableEntry, has: (column: string) => boolean): TableEntry {
  const key = entry.key && (entry.key === 'none' || entry.key.every(has)) ? entry.key : undefined;
  return {
    ...entry,
    key,
    cursor: entry.cursor && (entry.cursor === 'none' || has(entry.cursor)) ? entry.cursor : undefined,
    exclude: entry.exclude?.filter(has),
    columns: entry.columns && only(entry.columns, has),
    expect: entry.expect && {
      ...entry.expect,
      not_null: entry.expect.not_null?.filter(has),
      accepted: entry.expect.accepted && only(entry.expect.accepted, has),
    },
  };
}

function only<T>(values: Record<string, T>, has: (column: string) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter(([column]) => has(column)));
}

function defined<T extends object>(entry: T): T {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined)) as T;
}
