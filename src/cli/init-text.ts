/** The tidemark.yaml that init writes. Pure. Invariant: read back, it names exactly the tables that it was made from. */

import { defaultFolder } from '../config/folders.ts';
import { formatCount } from '../model/format.ts';
import { displayName, quoteName, type TableName } from '../model/table.ts';
import type { CatalogTable } from '../postgres/tables.ts';
import { createIndex, grantSelect } from './remedy.ts';

export type Found = {
  database: string;
  /** The server's version, as it prints it. */
  version: string;
  role: string;
  standby: boolean;
  lake: string;
  tables: CatalogTable[];
};

export type Sorted = {
  /** A row's change is found by updated_at. */
  withCursor: CatalogTable[];
  /** Every run scans them. */
  withoutCursor: CatalogTable[];
  /** The role may not read them, or not every row of them. */
  closed: CatalogTable[];
};

const NOTE_AT = 34;

export function sortTables(tables: CatalogTable[]): Sorted {
  const open = tables.filter((table) => isOpen(table));
  return {
    withCursor: open.filter((table) => cursorOf(table)),
    withoutCursor: open.filter((table) => !cursorOf(table)),
    closed: tables.filter((table) => !isOpen(table)),
  };
}

const isOpen = ({ mayRead, mayUseSchema, rowSecurity }: CatalogTable) => mayRead && mayUseSchema && !rowSecurity;

/** The default cursor: a time column called updated_at. */
export function cursorOf(table: CatalogTable) {
  return table.timeColumns.find(({ name }) => name === 'updated_at');
}

export function configText(found: Found): string {
  const { withCursor, withoutCursor, closed } = sortTables(found.tables);
  const folders = folderNames([...withCursor, ...withoutCursor]);
  const entry = (table: CatalogTable) => tableEntry(table, folders.get(table)!);
  const sections = [
    section('Tables with updated_at: a run reads what changed, by the index on it.', withCursor.flatMap(entry)),
    section(
      'Tables without: a run scans them, and still exports only what changed. Where another column is set by every change, name it.',
      withoutCursor.flatMap(entry),
    ),
    section(
      `Tables that ${comment(found.role)} may not read in whole; each line says what that takes.`,
      closed.flatMap((table) => closedEntry(table, found.role)),
    ),
  ];
  // A key with nothing but comments below it would be empty, not an empty list.
  const none = folders.size === 0 ? ['  []'] : [];
  return [...head(found), ...sections.flat(), ...none, ''].join('\n');
}

function head({ database, version, standby, lake }: Found): string[] {
  const state = standby
    ? [
        '',
        '# The source is a standby, which takes no writes: the state store needs another database.',
        'state:',
        `  url: $\{TIDEMARK_STATE_URL}`,
      ]
    : [
        '',
        '# state: { schema: tidemark }      # marks, runs and leases are kept in the source, in a schema of their own',
      ];
  return [
    `# Written by \`tidemark init\` for the database ${comment(database)} (Postgres ${comment(version)}).`,
    '# docs/configuration.md has every key. Editors complete them: tidemark schema > tidemark.schema.json',
    '# yaml-language-server: $schema=tidemark.schema.json',
    '',
    'source:',
    `  url: $\{DATABASE_URL}            # from the environment: no password in this file`,
    '  # connections: 2                # the most that tidemark opens there',
    '  # statement_timeout: 30m',
    ...state,
    '',
    `lake: ${yamlText(lake)}${' '.repeat(Math.max(1, NOTE_AT - 6 - lake.length))}# file:./folder, relative to this file, or s3://bucket/prefix`,
    '',
    'tables:',
    '  # - table: public.*             # every table there, also those that are made later',
  ];
}

function section(title: string, lines: string[]): string[] {
  return lines.length === 0 ? [] : ['', `  # ${title}`, ...lines];
}

function tableEntry(table: CatalogTable, as: string | null): string[] {
  const lines = [noted(`  - table: ${yamlText(shortName(table.name))}`, rowsText(table))];
  const cursor = cursorOf(table);
  if (as !== null)
    lines.push(noted(`    as: ${yamlText(as)}`, 'its own name is taken, or is when case does not count'));
  if (table.primaryKey.length === 0)
    lines.push(noted('    key: none', 'no primary key: `key: [column, …]` if some columns tell rows apart'));
  if (!cursor) lines.push(noted('    cursor: none', otherCursors(table)));
  else if (!cursor.indexed) lines.push(`    # no index: -- ${comment(createIndex(table, cursor.name))};`);
  return lines;
}

function otherCursors({ timeColumns }: CatalogTable): string {
  if (timeColumns.length === 0) return 'no column of a time type';
  return `or ${timeColumns
    .slice(0, 4)
    .map(({ name, indexed }) => `${quoteName(name)}${indexed ? '' : ' (no index)'}`)
    .join(', ')}`;
}

function closedEntry(table: CatalogTable, role: string): string[] {
  const grant = grantSelect(table, role);
  const remedy = grant || `ALTER ROLE ${quoteName(role)} BYPASSRLS (row security hides rows)`;
  return [`  # - table: ${comment(shortName(table.name))}    -- ${comment(remedy)};`];
}

function rowsText({ estimatedRows, partitioned }: CatalogTable): string {
  const rows = estimatedRows === null ? 'never analyzed' : `about ${formatCount(Math.round(estimatedRows))} rows`;
  return partitioned ? `${rows}, partitioned` : rows;
}

function noted(line: string, note: string): string {
  return `${line.padEnd(NOTE_AT - 1)} # ${comment(note)}`;
}

/** `as` for tables whose folder is taken by one before; null for the others. */
function folderNames(tables: CatalogTable[]): Map<CatalogTable, string | null> {
  const own = new Set(tables.map(({ name }) => defaultFolder(name).toLowerCase()));
  const taken = new Set<string>();
  return new Map(
    tables.map((table) => {
      const folder = defaultFolder(table.name);
      if (!taken.has(folder.toLowerCase())) {
        taken.add(folder.toLowerCase());
        return [table, null];
      }
      let n = 2;
      while (own.has(`${folder}_${n}`.toLowerCase()) || taken.has(`${folder}_${n}`.toLowerCase())) n++;
      taken.add(`${folder}_${n}`.toLowerCase());
      return [table, `${folder}_${n}`];
    }),
  );
}

function shortName(name: TableName): string {
  return name.schema === 'public' ? displayName(name).slice('public.'.length) : displayName(name);
}

/** A YAML scalar that is read as this text, also by substitution. */
export function yamlText(text: string): string {
  const escaped = text.replaceAll('${', () => '$${');
  const plain =
    /^[A-Za-z_.][A-Za-z0-9_./:-]*$/.test(escaped) &&
    !/^(true|false|null|\.inf|\.nan|y|n|yes|no|on|off|.*:)$/i.test(escaped);
  if (plain) return escaped;
  return /^\P{C}*$/u.test(escaped) ? `'${escaped.replaceAll("'", "''")}'` : JSON.stringify(escaped);
}

/** A name may hold a newline, and end the comment that it stands in. */
function comment(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}
