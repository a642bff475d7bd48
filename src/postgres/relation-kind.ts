/** What is no table that can be exported, and why: said in place of "there is no such table". */

import { sql } from 'kysely';
import type pg from 'pg';
import { TidemarkError } from '../model/error.ts';
import { displayName, type TableName } from '../model/table.ts';
import { candidates, splitNames } from '../model/table-pattern.ts';
import { rowsOf } from './query.ts';

type Other = { name: TableName; kind: string; of: TableName | null };

const WHY: Record<string, { what: string; hint: string }> = {
  v: { what: 'a view: its rows have no transaction id of their own', hint: 'export the tables that it reads' },
  m: {
    what: 'a materialized view: each REFRESH makes all of its rows anew',
    hint: 'export the tables that it is made from',
  },
  f: {
    what: "a foreign table: its rows have no transaction id of this server's",
    hint: 'export it from its own server',
  },
};

/** A better word for a TABLE_UNKNOWN whose table is there as something else: RELATION_KIND; any other error as it is. */
export async function betterKnown<E>(client: pg.ClientBase, error: E): Promise<E | TidemarkError> {
  if (!(error instanceof TidemarkError) || error.code !== 'TABLE_UNKNOWN' || error.place.table === undefined)
    return error;
  const [pattern] = splitNames(error.place.table);
  const [found] = candidates(pattern, await otherRelations(client));
  if (!found) return error;
  const table = displayName(found.name);
  if (found.of) {
    return new TidemarkError('RELATION_KIND', `${table} is a partition of ${displayName(found.of)}`, {
      table,
      hint: `export ${displayName(found.of)}: its partitions come with it`,
    });
  }
  const { what, hint } = WHY[found.kind];
  return new TidemarkError('RELATION_KIND', `${table} is ${what}`, { table, hint });
}

async function otherRelations(client: pg.ClientBase): Promise<Other[]> {
  const rows = await rowsOf(
    client,
    sql<{ schema: string; table: string; kind: string; of_schema: string | null; of_table: string | null }>`
      select n.nspname as schema, c.relname as table, c.relkind as kind, pn.nspname as of_schema, p.relname as of_table
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        left join pg_catalog.pg_inherits i on i.inhrelid = c.oid and c.relispartition
        left join pg_catalog.pg_class p on p.oid = i.inhparent
        left join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
      where c.relkind in ('v', 'm', 'f') or c.relkind in ('r', 'p') and c.relispartition`,
  );
  return rows.map(({ schema, table, kind, of_schema, of_table }) => ({
    name: { schema, table },
    kind,
    of: of_schema !== null && of_table !== null ? { schema: of_schema, table: of_table } : null,
  }));
}

/** RELATION_KIND for a table that stands on what has no transaction ids. `found`: as leaves.ts has it. */
export function strangeTable(table: TableName, found: { leaf: string; what: string }): TidemarkError {
  const own = found.leaf === displayName(table);
  const hint = 'changed rows are told by the transaction ids that ordinary tables keep; leave it out with `skip: true`';
  return new TidemarkError(
    'RELATION_KIND',
    own ? `the table is ${found.what}` : `its partition ${found.leaf} is ${found.what}`,
    {
      table: displayName(table),
      hint,
    },
  );
}
