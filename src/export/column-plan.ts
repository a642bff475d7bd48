/** What each column of a table becomes, from the catalog and the configuration. Pure. */

import { lakeNames } from '../model/column-names.ts';
import {
  canFollow,
  defaultColumnType,
  type PgType,
  pinnedColumnType,
  type Selection,
  typeName,
  type Wire,
} from '../model/column-type.ts';
import { TidemarkError } from '../model/error.ts';
import type { LakeType, Policy } from '../model/lake-type.ts';
import type { KeyEquality, WrittenColumn } from '../model/run.ts';
import { displayName, type TableSettings } from '../model/table.ts';
import type { Cursor, CursorType } from '../postgres/changed-rows.ts';
import type { SourceTable } from '../postgres/describe.ts';

export type PlannedColumn = {
  /** Its name in the source. */
  source: string;
  /** Its name in the lake. */
  name: string;
  selection: Selection;
  wire: Wire;
  lake: LakeType;
  policy: Policy;
  /** Where values without a place go under the policy `text`: `<name>__text`. */
  shadow: string | null;
  /** How its values compare as part of a key, where that is not by their bytes. */
  equality: KeyEquality | null;
};

export type ColumnPlan = {
  columns: PlannedColumn[];
  /** The key's columns, as indexes into `columns`; empty when the table has none and the user accepts it. */
  key: number[];
  cursor: (Cursor & { index: number }) | null;
};

const CURSOR_TYPES: Record<number, CursorType> = { 1184: 'timestamptz', 1114: 'timestamp', 1082: 'date' };
/** int8 and int4: only where they are named, for most integers count nothing. */
const COUNTED = [20, 23];
const DEFAULT_CURSOR = 'updated_at';
const NUMERIC = 1700;

/** Throws KEY_MISSING, COLUMN_UNKNOWN, CURSOR_TYPE or CONFIG_INVALID. `moneyScale`: decimal places of lc_monetary. */
export function planColumns(table: SourceTable, settings: TableSettings, moneyScale: number): ColumnPlan {
  const place = { table: displayName(table.name) };
  const byName = new Map(table.columns.map((column) => [column.name, column]));
  const known = (column: string, as: string) => {
    if (byName.has(column)) return;
    throw new TidemarkError('COLUMN_UNKNOWN', `the configuration names a ${as} that the table does not have`, {
      ...place,
      column,
      hint: `the table has ${table.columns
        .map((c) => c.name)
        .slice(0, 20)
        .join(', ')}`,
    });
  };
  for (const column of settings.exclude) known(column, 'column to exclude');
  for (const column of Object.keys(settings.columns)) known(column, 'column');
  const expected = [...(settings.expect?.notNull ?? []), ...Object.keys(settings.expect?.accepted ?? {})];
  for (const column of expected) {
    known(column, 'column to expect something of');
    if (!settings.exclude.includes(column)) continue;
    throw new TidemarkError('CONFIG_INVALID', 'nothing can be expected of a column that is excluded', {
      ...place,
      column,
    });
  }
  const keyNames = keyColumns(table, settings);
  for (const column of keyNames) known(column, 'key column');
  const cursor = cursorOf(table, settings, known);
  for (const column of [...keyNames, ...(cursor ? [cursor.column] : [])]) {
    if (!settings.exclude.includes(column) && !(column === cursor?.column && settings.columns[column]?.type)) continue;
    throw new TidemarkError(
      'CONFIG_INVALID',
      'a key or cursor column can be neither excluded nor, as a cursor, given another type',
      {
        ...place,
        column,
      },
    );
  }
  for (const column of keyNames) {
    // A NULL key would belong to no row, or to every such row.
    if ((settings.columns[column]?.on_unfit ?? 'fail') === 'fail') continue;
    throw new TidemarkError('CONFIG_INVALID', 'a key column cannot write NULL for values without a place in the lake', {
      ...place,
      column,
      hint: `leave out columns.${column}.on_unfit, or pin the column's type to string, in which every value has a place`,
    });
  }
  const kept = table.columns.filter((column) => !settings.exclude.includes(column.name));
  const policyOf = (column: string): Policy => settings.columns[column]?.on_unfit ?? 'fail';
  const names = lakeNames(
    kept.map((column) => column.name),
    (column) => policyOf(column) === 'text',
  );
  const columns = kept.map((column, i): PlannedColumn => {
    const pinned = settings.columns[column.name]?.type;
    try {
      const type = pinned
        ? pinnedColumnType(column.type, pinned, moneyScale)
        : defaultColumnType(column.type, moneyScale);
      const equality = equalityOf(column.type, type.lake);
      return { source: column.name, ...names[i], ...type, policy: policyOf(column.name), equality };
    } catch (error) {
      if (!(error instanceof TidemarkError)) throw error;
      throw new TidemarkError(error.code, error.message, { ...place, column: column.name, hint: error.hint });
    }
  });
  const index = (name: string) => columns.findIndex((column) => column.source === name);
  return { columns, key: keyNames.map(index), cursor: cursor && { ...cursor, index: index(cursor.column) } };
}

function keyColumns(table: SourceTable, settings: TableSettings): string[] {
  if (settings.key === 'none') return [];
  if (settings.key !== 'default') return settings.key;
  if (table.primaryKey.length > 0) return table.primaryKey;
  throw new TidemarkError('KEY_MISSING', 'the table has no primary key, and the configuration names none', {
    table: displayName(table.name),
    hint: 'name the columns that tell its rows apart with `key: [column]`, or accept a staged copy from full runs only with `key: none`',
  });
}

function cursorOf(
  table: SourceTable,
  settings: TableSettings,
  known: (column: string, as: string) => void,
): Cursor | null {
  if (settings.cursor === 'none') return null;
  const named = settings.cursor === 'default' ? null : settings.cursor.column;
  if (named !== null) known(named, 'cursor column');
  const column = table.columns.find((c) => c.name === (named ?? DEFAULT_CURSOR));
  const counted = column && named !== null && COUNTED.includes(column.type.oid);
  const type = column && (counted ? 'bigint' : CURSOR_TYPES[column.type.oid]);
  if (column && type) return { column: column.name, type, notNull: column.notNull, timezone: settings.timezone };
  if (named === null) return null;
  throw new TidemarkError(
    'CURSOR_TYPE',
    `a cursor column is a timestamptz, timestamp, date, bigint or integer, not ${column?.type.name}`,
    {
      table: displayName(table.name),
      column: named,
      hint: 'name another column, or `cursor: none` to find changed rows by a scan',
    },
  );
}

/** Told by bytes alone, one row would become two: 'Ann' and 'ann' of a citext are one key, so are 1.0 and 1.00. */
function equalityOf(type: PgType, lake: LakeType): KeyEquality | null {
  if (type.element || lake.kind !== 'string') return null;
  if (type.extension === 'citext') return 'case';
  return type.oid === NUMERIC ? 'number' : null;
}

/** The plan of a run. Throws what planColumns() throws, and SCHEMA_CHANGED. */
export function checkedPlan(
  table: SourceTable,
  { settings, columns }: { settings: TableSettings; columns: WrittenColumn[] | null },
  moneyScale: number,
): ColumnPlan {
  const plan = planColumns(table, settings, moneyScale);
  checkSchemaChange(table, columns, plan);
  return plan;
}

/** The columns as the run writes them, for the state store. */
export function writtenColumns(plan: ColumnPlan): WrittenColumn[] {
  const places = new Map(plan.key.map((index, i) => [index, i + 1]));
  return plan.columns.map(({ source, name, lake, equality }, index) => {
    const key = places.get(index);
    const written = { source, name, type: lake };
    if (key === undefined) return written;
    return equality === null ? { ...written, key } : { ...written, key, equality };
  });
}

/**
 * Throws SCHEMA_CHANGED when readers by name cannot cope with what the table is now: a column has another type, or another
 * name in the lake because of a new neighbour. Added and dropped columns go on; varchar(50) to text is no change in the lake.
 */
export function checkSchemaChange(table: SourceTable, before: WrittenColumn[] | null, plan: ColumnPlan): void {
  const types = new Map(table.columns.map(({ name, type }) => [name, type]));
  const byName = new Map(plan.columns.map((column) => [column.name, column]));
  const bySource = new Map(plan.columns.map((column) => [column.source, column]));
  const stop = (column: PlannedColumn, what: string, remedy: string) => {
    throw new TidemarkError('SCHEMA_CHANGED', `the column was ${what} now`, {
      table: displayName(table.name),
      column: column.source,
      hint: `${remedy}begin a new folder with another \`as:\` and one \`export --full\``,
    });
  };
  for (const old of before ?? []) {
    const moved = bySource.get(old.source);
    // `a b` was a_b until a column a_b was added: its values and the new one's would stand under one name.
    if (moved && moved.name !== old.name)
      stop(moved, `${old.name} in the lake and would be ${moved.name}`, 'exclude the column that takes its name, or ');
    const column = byName.get(old.name);
    if (!column || canFollow(old.type, column.lake)) continue;
    const change = `${typeName(old.type)} in the lake and would be ${typeName(column.lake)}`;
    stop(column, change, pinHint(old.type, column, types.get(column.source)!));
  }
}

/** The pin that keeps the column as it was; empty where no pin can. */
function pinHint(old: LakeType, now: PlannedColumn, type: PgType): string {
  const pin = old.kind === 'array' ? 'array' : typeName(old);
  try {
    // The decimal places of money do not matter: a pin's type is the one it names.
    if (typeName(pinnedColumnType(type, pin, 2).lake) !== typeName(old)) return '';
  } catch {
    return '';
  }
  const fits = old.kind === 'decimal' ? ' (values that do not fit follow on_unfit)' : '';
  return `pin it with columns.${now.source}.type: "${pin}"${fits}, or `;
}
