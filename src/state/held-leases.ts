/** Who holds what, and taking it from them by hand. Invariant: a holder whose lease was released finds its token gone, and commits nothing more. */

import { sql } from 'kysely';
import type { TableName } from '../model/table.ts';
import type { StateTx } from './database.ts';
import type { LeaseKind } from './run-kinds.ts';
import { instant, now, tableIn } from './sql.ts';

/** Instants are ISO 8601, UTC. `expired`: nobody has renewed it in time, and whoever comes next gets it. */
export type HeldLease = {
  table: TableName;
  folder: string;
  kind: LeaseKind;
  holder: string;
  since: string;
  expiresAt: string;
  expired: boolean;
};

/** Every lease that was not given back, by table and kind. */
export async function heldLeases({ db, schema }: StateTx): Promise<HeldLease[]> {
  const query = sql<LeaseRow>`
    select t.schema_name, t.table_name, t.folder, l.kind, l.holder, ${instant('l.acquired_at')} as since,
      ${instant('l.expires_at')} as "expiresAt", l.expires_at <= ${now} as expired
    from ${tableIn(schema, 'lease')} l join ${tableIn(schema, 'source_table')} t on t.id = l.table_id
    where l.holder is not null
    order by t.schema_name, t.table_name, t.folder, l.kind`;
  return (await query.execute(db)).rows.map(fromRow);
}

/**
 * Takes the folders' leases of the kind (null: of every kind) from their holders, living ones only with `force`. Returns all
 * that were held, as they were before.
 */
export async function takeAway(
  { db, schema }: StateTx,
  folders: string[],
  kind: LeaseKind | null,
  force: boolean,
): Promise<(HeldLease & { released: boolean })[]> {
  const query = sql<LeaseRow & { released: boolean }>`
    with held as materialized (
      select l.table_id, l.kind, t.schema_name, t.table_name, t.folder, l.holder, ${instant('l.acquired_at')} as since,
        ${instant('l.expires_at')} as "expiresAt", l.expires_at <= ${now} as expired
      from ${tableIn(schema, 'lease')} l join ${tableIn(schema, 'source_table')} t on t.id = l.table_id
      where l.holder is not null and t.folder = any(${folders}::text[]) and (${kind}::text is null or l.kind = ${kind})
      order by l.table_id, l.kind
      for update of l),
    released as (
      update ${tableIn(schema, 'lease')} l
      set holder = null, claim = null, token = null, acquired_at = null, expires_at = null
      from held where l.table_id = held.table_id and l.kind = held.kind and (held.expired or ${force}::boolean)
      returning l.table_id, l.kind)
    select held.*, (held.table_id, held.kind) in (select table_id, kind from released) as released
    from held order by schema_name, table_name, folder, kind`;
  return (await query.execute(db)).rows.map((row) => ({ ...fromRow(row), released: row.released }));
}

type LeaseRow = Omit<HeldLease, 'table'> & { schema_name: string; table_name: string };

function fromRow({
  schema_name: schema,
  table_name: table,
  folder,
  kind,
  holder,
  since,
  expiresAt,
  expired,
}: LeaseRow) {
  return { table: { schema, table }, folder, kind, holder, since, expiresAt, expired } satisfies HeldLease;
}
