/** Whether a load fits its table, and how each column gets in. Pure. */

import { TidemarkError } from '../../model/error.ts';
import { displayName } from '../../model/table.ts';
import type { LoadColumn, LoadSettings } from '../settings.ts';
import { createTable } from './create-table.ts';
import type { FoundColumn, FoundTable, TypeName, WrittenType } from './describe.ts';
import { sqlName } from './sql-name.ts';

export type PlannedColumn = {
  name: string;
  /** Type of the temporary table's column: what the parser has checked, else text. */
  temp: string;
  /** The type, as SQL, that text is cast to; without a modifier: a cast to varchar(3) would cut the text without a word. */
  cast: string;
  /** The table's own type, with its modifier. */
  full: string;
  /** Values of the type have no `=`, as json: they are compared as text. */
  compareAsText: boolean;
  notNull: boolean;
  key: boolean;
  /** ` collate …`, by which keys are told apart and sorted. */
  collate: string;
};

export type TablePlan = {
  oid: number;
  version: number;
  columns: PlannedColumn[];
  key: string[];
  /** Values go into a column that is GENERATED ALWAYS AS IDENTITY. */
  overriding: boolean;
};

/** Types whose texts the parser checks as strictly as Postgres; what it lets through, COPY takes. */
const CHECKED = new Set([
  'smallint',
  'integer',
  'bigint',
  'real',
  'double precision',
  'numeric',
  'boolean',
  'uuid',
  'date',
  'timestamp without time zone',
  'timestamp with time zone',
  'json',
  'jsonb',
  'text',
]);
const TEXTS = new Set(['text', 'character varying', 'bpchar', 'character', 'name']);
/** Each holds what the ones before it hold. */
const NUMBERS = ['smallint', 'integer', 'bigint', 'numeric'];
const FLOATS = ['real', 'double precision'];

/** Throws TARGET_TABLE, TARGET_GRANT or CONFIG_INVALID: the first thing that does not fit. */
export function planColumns(settings: LoadSettings, found: FoundTable | null): TablePlan {
  const table = displayName(settings.into);
  const unfit = (message: string, hint: string, column?: string) =>
    new TidemarkError('TARGET_TABLE', message, { hint, table, column });
  if (found === null || !['r', 'p'].includes(found.kind)) {
    const what = found === null ? 'there is no such table in the target' : 'is not a table';
    throw unfit(what, `tidemark load --create ${settings.name} prints: ${createTable(settings)}`);
  }
  checkGrants(settings, found);
  const byName = new Map(found.columns.map((column) => [column.name, column]));
  const columns = settings.columns.map((wanted, i) => {
    const column = byName.get(wanted.name);
    if (!column) {
      const hint = `ALTER TABLE ${table} ADD COLUMN ${sqlName(wanted.name)} ${wanted.type}, or take it out of the load's columns`;
      throw unfit('the table has no such column', hint, wanted.name);
    }
    return planColumn(wanted, column, found.types[i], settings, unfit);
  });
  const filled = new Set(settings.columns.map(({ name }) => name));
  for (const column of found.columns) {
    if (filled.has(column.name) || !column.notNull || column.hasDefault || column.generated) continue;
    const hint = "add it to the load's columns, or give it a default in the table";
    throw unfit('may not be null, has no default, and the load does not fill it', hint, column.name);
  }
  checkKey(settings, found, byName, unfit);
  const overriding = settings.columns.some(({ name }) => byName.get(name)!.identityAlways);
  return { oid: found.oid, version: found.version, columns, key: settings.key, overriding };
}

type Unfit = (message: string, hint: string, column?: string) => TidemarkError;

function planColumn(
  wanted: LoadColumn,
  column: FoundColumn,
  type: WrittenType | null,
  settings: LoadSettings,
  unfit: Unfit,
): PlannedColumn {
  if (column.generated) {
    throw unfit('is generated from other columns', "take it out of the load's columns", wanted.name);
  }
  if (type === null) {
    throw new TidemarkError('CONFIG_INVALID', `the target knows no type "${wanted.type}"`, {
      table: displayName(settings.into),
      column: wanted.name,
      hint: `the table's column is ${column.full}`,
    });
  }
  if (!fits(type, column)) {
    throw unfit(
      `is ${column.full} in the table, ${wanted.type} in the load`,
      `write type: ${column.full}`,
      wanted.name,
    );
  }
  const key = settings.key.includes(wanted.name);
  const texts = TEXTS.has(column.base);
  // What the parser has checked as a smaller type is good for the greater one.
  const checked =
    !type.domain &&
    CHECKED.has(column.base) &&
    (type.base === column.base || NUMBERS.includes(type.base) || FLOATS.includes(type.base));
  const temp = texts && TEXTS.has(type.base) ? 'text' : checked ? column.base : 'text';
  return {
    name: wanted.name,
    temp,
    cast: castOf(column, key),
    full: column.full,
    compareAsText: !comparable(column),
    notNull: column.notNull,
    key,
    // Sorting by bytes is several times faster, and tells the same texts apart.
    collate: !key || !texts ? '' : column.deterministic ? ' collate "C"' : ` collate ${column.collation}`,
  };
}

/** Of keys with the modifier, where a cast rounds as storing does: two keys may become one. */
function castOf(column: FoundColumn, key: boolean): string {
  const rounds = /^(numeric|timestamp|time|interval)/.test(column.full) && column.kind === 'b';
  return key && rounds ? column.full : column.base;
}

function comparable({ base, kind, category }: TypeName): boolean {
  if (['e', 'r', 'm'].includes(kind)) return true;
  return CHECKED.has(base)
    ? base !== 'json'
    : TEXTS.has(base) || ['bytea', 'citext', 'inet', 'interval'].includes(base) || category === 'D';
}

function fits(type: TypeName, column: FoundColumn): boolean {
  if (type.base === column.base) return true;
  if (TEXTS.has(type.base)) return TEXTS.has(column.base) || column.category === 'S' || !CHECKED.has(column.base);
  if (type.base.startsWith('json') && column.base.startsWith('json')) return true;
  const wider = [NUMBERS, FLOATS].some(
    (order) => order.includes(type.base) && order.indexOf(column.base) > order.indexOf(type.base),
  );
  return wider || (NUMBERS.includes(type.base) && FLOATS.includes(column.base));
}

function checkGrants(settings: LoadSettings, found: FoundTable): void {
  const table = displayName(settings.into);
  const filled = new Set(settings.columns.map(({ name }) => name));
  if (!found.mayUse) {
    throw new TidemarkError('TARGET_GRANT', "the role may not use the table's schema", {
      table,
      hint: `GRANT USAGE ON SCHEMA ${sqlName(settings.into.schema)} TO the role of the load`,
    });
  }
  const update = settings.onConflict === 'update';
  const missing = found.columns.some(
    (column) =>
      filled.has(column.name) &&
      (!column.mayInsert || (update && !column.mayUpdate && !settings.key.includes(column.name))),
  );
  if (missing || !found.maySelect) {
    throw new TidemarkError('TARGET_GRANT', `the role may not ${missing ? 'write to' : 'read'} the table`, {
      table,
      hint: `GRANT SELECT, INSERT${update ? ', UPDATE' : ''} ON ${table} TO the role of the load`,
    });
  }
  if (!found.mayTemp) {
    throw new TidemarkError('TARGET_GRANT', 'the role may not make temporary tables, which every batch goes through', {
      table,
      hint: 'GRANT TEMPORARY ON DATABASE … TO the role of the load',
    });
  }
}

function checkKey(settings: LoadSettings, found: FoundTable, byName: Map<string, FoundColumn>, unfit: Unfit): void {
  const { key } = settings;
  const names = key.map(sqlName).join(', ');
  const table = displayName(settings.into);
  for (const name of key) {
    if (!settings.columns.some((column) => column.name === name)) {
      throw new TidemarkError('CONFIG_INVALID', "is part of the key but not among the load's columns", {
        table,
        column: name,
      });
    }
    if (byName.get(name)!.notNull) continue;
    // Two NULLs are never in conflict: such rows would come in again with every repeat.
    throw unfit(
      'is part of the key and may be null',
      `ALTER TABLE ${table} ALTER COLUMN ${sqlName(name)} SET NOT NULL`,
      name,
    );
  }
  const same = (columns: string[]) => columns.length === key.length && key.every((name) => columns.includes(name));
  if (found.unique.some(same)) return;
  throw unfit(
    `no unique index stands on the key (${key.join(', ')}): rows that are there could not be told from new ones`,
    `ALTER TABLE ${table} ADD PRIMARY KEY (${names}), or CREATE UNIQUE INDEX ON ${table} (${names})`,
  );
}
