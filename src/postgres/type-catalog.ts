/** Looks types up by OID, down to the base of every domain. Invariant: a type is asked for once a connection pool's life. */

import { sql } from 'kysely';
import type pg from 'pg';
import type { PgType } from '../model/column-type.ts';
import { rowsOf } from './query.ts';

type TypeRow = {
  oid: number;
  typtype: string;
  typbasetype: number;
  typtypmod: number;
  element: number;
  name: string;
  extension: string | null;
};

const KINDS: Record<string, PgType['kind']> = { e: 'enum', c: 'composite', r: 'range', m: 'multirange' };

export class TypeCatalog {
  #rows = new Map<number, TypeRow>();

  /** Makes `resolve` work for these types and for all that they are made of. */
  async load(client: pg.ClientBase, oids: number[]): Promise<void> {
    let wanted = oids;
    for (;;) {
      const missing = [...new Set(wanted)].filter((oid) => oid !== 0 && !this.#rows.has(oid));
      if (missing.length === 0) return;
      const rows = await rowsOf(
        client,
        // OIDs as OIDs: with extra_float_digits at -15 a float8 of 21 prints as 2e+01.
        // int2vector and oidvector (22, 30) look like arrays but count from 0: text.
        sql<TypeRow>`
          select t.oid, t.typtype, t.typbasetype, t.typtypmod,
            case when t.typcategory = 'A' and t.typlen = -1 and t.oid not in (22, 30) then t.typelem else 0 end as element,
            pg_catalog.format_type(t.oid, null) as name, e.extname as extension
          from pg_catalog.pg_type t
          left join pg_catalog.pg_depend d
            on d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.objid = t.oid and d.deptype = 'e'
          left join pg_catalog.pg_extension e on e.oid = d.refobjid
          where t.oid = any(${missing}::pg_catalog.oid[])`,
      );
      for (const row of rows) this.#rows.set(row.oid, row);
      wanted = rows.flatMap((row) => [row.typbasetype, row.element]);
    }
  }

  /** The type under all domains. `typmod` is the column's own; a domain's counts where the column has none. */
  resolve(oid: number, typmod: number): PgType {
    const row = this.#rows.get(oid);
    if (!row) throw new Error(`type ${oid} was not loaded`);
    if (row.typtype === 'd') return this.resolve(row.typbasetype, typmod === -1 ? row.typtypmod : typmod);
    return {
      oid,
      typmod,
      name: row.name,
      kind: KINDS[row.typtype] ?? 'base',
      extension: row.extension,
      element: row.element === 0 ? null : this.resolve(row.element, typmod),
    };
  }
}
