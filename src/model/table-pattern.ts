/** Names and patterns of tables as people write them: `invoice`, `app.invoice`, `app."Odd.Name"`, `public.*`. Pure. */

import { TidemarkError } from './error.ts';
import type { TableName } from './table.ts';

/** One part of a name. `exact`: it was quoted, and a `*` in it is a star. */
export type NamePart = { text: string; exact: boolean };

export type TablePattern = { schema: NamePart | null; table: NamePart };

// A part in quotes (two for one, as in SQL), or anything without a dot, comma or quote.
const PART = /\s*(?:"((?:[^"]|"")+)"|([^".,]*[^".,\s]))\s*/y;

/** Parts up to the end or a comma at its top level. Throws USAGE for what is no name. */
export function splitNames(text: string): TablePattern[] {
  const found: TablePattern[] = [];
  let parts: NamePart[] = [];
  for (let at = 0; ; ) {
    PART.lastIndex = at;
    const match = PART.exec(text);
    if (!match || parts.length === 2) throw notAName(text);
    parts.push(
      match[1] === undefined ? { text: match[2], exact: false } : { text: match[1].replaceAll('""', '"'), exact: true },
    );
    at = PART.lastIndex;
    const next = text[at++];
    if (next === '.') continue;
    found.push(parts.length === 1 ? { schema: null, table: parts[0] } : { schema: parts[0], table: parts[1] });
    if (next === undefined) return found;
    if (next !== ',') throw notAName(text);
    parts = [];
  }
}

/** One name or pattern. Throws CONFIG_INVALID. */
export function parsePattern(text: string): TablePattern {
  let parts: TablePattern[] = [];
  try {
    parts = splitNames(text);
  } catch {
    // Said below, as the configuration's error.
  }
  if (parts.length === 1) return parts[0];
  throw new TidemarkError('CONFIG_INVALID', 'a table is written schema.table, or table alone', {
    hint: 'parts with dots, commas or quotes in them are quoted as in SQL: app."Odd.Name"',
  });
}

function notAName(text: string): TidemarkError {
  return new TidemarkError('USAGE', `${JSON.stringify(text)} is no table's name`, {
    hint: 'write schema.table or table; odd parts are quoted as in SQL: \'app."Odd.Name"\'; several are separated by commas',
  });
}

/** As it was typed. */
export function writtenName({ schema, table }: TablePattern): string {
  return [schema, table]
    .filter((part) => part !== null)
    .map(({ text, exact }) => (exact ? `"${text.replaceAll('"', '""')}"` : text))
    .join('.');
}

const hasStar = (part: NamePart | null) => part !== null && !part.exact && part.text.includes('*');

export function isPattern(text: string): boolean {
  const { schema, table } = parsePattern(text);
  return hasStar(schema) || hasStar(table);
}

const PUBLIC: NamePart = { text: 'public', exact: true };

/** How much a pattern says: the longer its fixed text, the more it wins over others. */
export function weight({ schema, table }: TablePattern): number {
  return [schema ?? PUBLIC, table].reduce((sum, part) => sum + part.text.replaceAll('*', '').length, 0);
}

/** Whether a pattern with a star stands for the table. Without a schema it means public. */
export function matches({ schema, table }: TablePattern, name: TableName): boolean {
  return matchesPart(schema ?? PUBLIC, name.schema) && matchesPart(table, name.table);
}

function matchesPart(part: NamePart, name: string): boolean {
  if (part.exact) return part.text === name;
  const expression = part.text.split('*').map((text) => text.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${expression.join('.*')}$`, 's').test(name);
}

/** The tables that a name without a star may mean: one, none, or several when it has no schema and none is in public. */
export function candidates<T extends { name: TableName }>({ schema, table }: TablePattern, tables: T[]): T[] {
  const equal = (part: NamePart, fold: boolean) => (name: string) =>
    part.text === name || (fold && !part.exact && part.text.toLowerCase() === name);
  // Exactly as written first: a table called Invoice is not reached by SQL's folding, but is what was typed.
  for (const fold of [false, true]) {
    const found = tables.filter(
      ({ name }) => equal(table, fold)(name.table) && (schema === null || equal(schema, fold)(name.schema)),
    );
    const inPublic = schema === null ? found.filter(({ name }) => name.schema === 'public') : [];
    if (inPublic.length === 1) return inPublic;
    if (found.length > 0) return found;
  }
  return [];
}
