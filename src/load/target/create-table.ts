/** The table that a load would fill, as SQL. Pure. */

import type { LoadColumn, LoadSettings, Scalar } from '../settings.ts';
import { sqlName, sqlTable } from './sql-name.ts';

/** CREATE TABLE with the key as primary key; what `tidemark load --create` prints. Ends with a semicolon. */
export function createTable({ into, columns, key }: Pick<LoadSettings, 'into' | 'columns' | 'key'>): string {
  const lines = columns.map((column) => `  ${sqlName(column.name)} ${column.type}${nullness(column, key)}`);
  const primary = `  primary key (${key.map(sqlName).join(', ')})`;
  return `create table ${sqlTable(into)} (\n${[...lines, primary].join(',\n')}\n);`;
}

function nullness(column: LoadColumn, key: string[]): string {
  const always = column.required || (column.default !== undefined && column.default !== null);
  const notNull = always && !key.includes(column.name) ? ' not null' : '';
  return (
    notNull + (column.default === undefined || column.default === null ? '' : ` default ${literal(column.default)}`)
  );
}

function literal(value: Exclude<Scalar, null>): string {
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);
}
