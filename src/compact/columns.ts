/** Which columns a staged table has, from those it had and those that raw files bring. Pure. */

import { TidemarkError } from '../model/error.ts';
import type { DeltaColumn, DeltaType } from './delta/actions.ts';

export type TableColumns = {
  columns: DeltaColumn[];
  /** Anything else than before: the commit must say so. */
  changed: boolean;
  /** Columns whose type is wider now, or that are gone: files that hold them as they were must be written again. */
  rewrite: string[];
};

/**
 * The columns after raw files with `found` columns are merged in. Columns that only the table has stay, and so do their places; with `only`
 * the others go. Throws SCHEMA_CHANGED where a type can become the other one in neither direction.
 */
export function mergeColumns(
  before: DeltaColumn[] | null,
  found: DeltaColumn[],
  only: Set<string> | null,
): TableColumns {
  const byName = new Map(found.map((column) => [column.name.toLowerCase(), column]));
  const columns: DeltaColumn[] = [];
  const rewrite: string[] = [];
  for (const column of before ?? []) {
    const incoming = byName.get(column.name.toLowerCase());
    byName.delete(column.name.toLowerCase());
    if (only && !only.has(column.name)) {
      // Left in the files, the old values would come back with the next column of this name.
      rewrite.push(column.name);
      continue;
    }
    const type = incoming ? widerType(column.type, incoming.type) : column.type;
    if (type === null) throw cannotFollow(column, incoming!);
    if (typeText(type) !== typeText(column.type)) rewrite.push(column.name);
    columns.push({ ...column, type });
  }
  const added = found.filter((column) => byName.has(column.name.toLowerCase()) && (!only || only.has(column.name)));
  columns.push(...added);
  const changed = before === null || rewrite.length > 0 || added.length > 0;
  return { columns, changed, rewrite: before === null ? [] : rewrite };
}

/** In Parquet and Delta, no two columns differ by case alone. */
export function isSameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

const WIDTHS: string[][] = [
  ['byte', 'short', 'integer', 'long'],
  ['float', 'double'],
];

/** The type that holds every value of both, as raw files may widen from one run to the next; null when there is none. */
export function widerType(a: DeltaType, b: DeltaType): DeltaType | null {
  if (typeText(a) === typeText(b)) return a;
  if (typeof a === 'string' && typeof b === 'string') {
    const widths = WIDTHS.find((types) => types.includes(a) && types.includes(b));
    if (widths) return widths[Math.max(widths.indexOf(a), widths.indexOf(b))];
    const [da, db] = [decimal(a), decimal(b)];
    if (da && db && da.scale === db.scale) return da.precision > db.precision ? a : b;
    return null;
  }
  if (typeof a === 'string' || typeof b === 'string') return null;
  const elementType = widerType(a.elementType, b.elementType);
  return elementType && { ...a, elementType };
}

function typeText(type: DeltaType): string {
  return typeof type === 'string' ? type : `array<${typeText(type.elementType)}>`;
}

function decimal(type: string): { precision: number; scale: number } | null {
  const match = /^decimal\((\d+),(\d+)\)$/.exec(type);
  return match && { precision: Number(match[1]), scale: Number(match[2]) };
}

function cannotFollow(before: DeltaColumn, after: DeltaColumn): TidemarkError {
  return new TidemarkError(
    'SCHEMA_CHANGED',
    `the column is ${typeText(before.type)} in the staged table and ${typeText(after.type)} in newer raw files`,
    { column: before.name, hint: 'tidemark compact --rebuild makes the staged table anew from the raw files' },
  );
}
