/** Tables that somebody holds. Invariant: a paused table's leases are given to nobody; who has one by then keeps it to its end. */

import { sql } from 'kysely';
import type { TableName } from '../model/table.ts';
import type { StateTx } from './database.ts';
import { createTables, refuseClash, type Wanted } from './leases.ts';
import { instant, now, tableIn } from './sql.ts';

/** `at`: ISO 8601, UTC. `before`: it was so already. `lease`: who still works on it. */
export type Paused = {
  table: TableName;
  folder: string;
  by: string;
  at: string;
  before: boolean;
  lease: string | null;
};

/** Who had paused it, since when. */
export type Resumed = Pick<Paused, 'table' | 'folder' | 'by' | 'at'>;

/** A table that is paused already keeps its name and time. Throws FOLDER_CLASH. */
export async function pauseTables(tx: StateTx, tables: Wanted[], by: string): Promise<Paused[]> {
  await createTables(tx, tables);
  const { db, schema } = tx;
  const folders = tables.map(({ folder }) => folder);
  const query = sql<PausedRow>`
    with old as materialized (
      select t.id, t.paused_at, w.folder as wanted
      from unnest(${folders}::text[]) as w(folder)
      join ${tableIn(schema, 'source_table')} t on lower(t.folder collate "C") = lower(w.folder collate "C")
      order by t.id for no key update of t)
    update ${tableIn(schema, 'source_table')} t
    set paused_at = coalesce(t.paused_at, ${now}), paused_by = coalesce(t.paused_by, ${by})
    from old where old.id = t.id
    returning old.wanted, t.schema_name, t.table_name, t.folder, t.paused_by as by, ${instant('t.paused_at')} as at, old.paused_at is not null as before,
      (select string_agg(l.holder, ', ' order by l.kind) from ${tableIn(schema, 'lease')} l
       where l.table_id = t.id and l.expires_at > ${now}) as lease`;
  const found = new Map((await query.execute(db)).rows.map((row) => [row.wanted, row]));
  return tables.map((table) => {
    const row = found.get(table.folder)!;
    refuseClash(table, row);
    const { folder, by, at, before, lease } = row;
    return { table: table.name, folder, by, at, before, lease };
  });
}

type PausedRow = Omit<Paused, 'table'> & { wanted: string; schema_name: string; table_name: string };

/** Lets the folders' tables go; returns who had paused which. */
export async function resumeTables({ db, schema }: StateTx, folders: string[]): Promise<Resumed[]> {
  const query = sql<{ schema: string; table: string; folder: string; by: string; at: string }>`
    with old as materialized (
      select id, paused_at, paused_by from ${tableIn(schema, 'source_table')}
      where folder = any(${folders}::text[]) and paused_at is not null order by id for no key update)
    update ${tableIn(schema, 'source_table')} t set paused_at = null, paused_by = null
    from old where old.id = t.id
    returning t.schema_name as schema, t.table_name as "table", t.folder, old.paused_by as by, ${instant('old.paused_at')} as at`;
  const { rows } = await query.execute(db);
  return rows.map(({ schema, table, ...rest }) => ({ table: { schema, table }, ...rest }));
}

/** Every table that the state store knows, exported or not, by name. */
export async function knownTables({ db }: StateTx): Promise<(Wanted & { paused: boolean })[]> {
  const rows = await db
    .selectFrom('source_table')
    .select(['schema_name', 'table_name', 'folder', sql<boolean>`paused_at is not null`.as('paused')])
    .orderBy('schema_name')
    .orderBy('table_name')
    .orderBy('folder')
    .execute();
  return rows.map(({ schema_name: schema, table_name: table, ...rest }) => ({ name: { schema, table }, ...rest }));
}
