/** The statements that mend what init and doctor find. Pure. */

import { displayName, quoteName, type TableName } from '../model/table.ts';

export function createIndex(table: { name: TableName; partitioned: boolean }, column: string): string {
  // Postgres refuses CONCURRENTLY on a partitioned table.
  const how = table.partitioned ? 'CREATE INDEX' : 'CREATE INDEX CONCURRENTLY';
  return `${how} ON ${displayName(table.name)} (${quoteName(column)})`;
}

export function grantSelect(table: { name: TableName; mayRead: boolean; mayUseSchema: boolean }, role: string): string {
  const to = `TO ${quoteName(role)}`;
  const schema = table.mayUseSchema ? [] : [`GRANT USAGE ON SCHEMA ${quoteName(table.name.schema)} ${to}`];
  return [...schema, ...(table.mayRead ? [] : [`GRANT SELECT ON ${displayName(table.name)} ${to}`])].join('; ');
}

/** After a failover or a restore. */
export const HISTORY_HINT =
  'rows whose commit was lost with the old server are still in the lake: tidemark export --full, then compact';
