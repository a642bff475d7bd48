/** Names and texts in SQL. Pure. */

import type { TableName } from '../../model/table.ts';

export function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function sqlTable({ schema, table }: TableName): string {
  return `${sqlName(schema)}.${sqlName(table)}`;
}

/** With E'', which means the same whatever standard_conforming_strings is. */
export function sqlText(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
