/**
 * What has refused a row, as a question that finds all such rows at once. Trying ever smaller parts of a batch costs an INSERT
 * for each step; one query finds the rows that a check, a foreign key, NOT NULL or a type refuses.
 */

import type pg from 'pg';
import { TEMP, value } from './batch-sql.ts';
import type { TablePlan } from './plan-columns.ts';
import { sqlName, sqlText } from './sql-name.ts';
import type { ServerError } from './target-error.ts';

export type Suspect =
  | { kind: 'null'; column: number; reason: string }
  /** `condition`: over the table's columns; a row for which it is false is refused. */
  | { kind: 'check'; condition: string; reason: string }
  | { kind: 'foreign'; columns: number[]; table: string; keys: string[]; reason: string }
  /** The text of a value is none of its column's type. Postgres 16 or newer. */
  | { kind: 'input' };

type Named = { name: string; suspect: Suspect };

/** Null: only an INSERT shows whom this error is about. */
export async function suspectOf(client: pg.ClientBase, plan: TablePlan, error: ServerError): Promise<Named | null> {
  const { code = '', message: reason, column = '', constraint = '' } = error;
  const at = plan.columns.findIndex(({ name }) => name === column);
  if (code === '23502' && at >= 0) return { name: `null ${column}`, suspect: { kind: 'null', column: at, reason } };
  if (code === '23514' || code === '23503') {
    const found = await constraintOf(client, plan, constraint, reason);
    if (found) return { name: `constraint ${constraint}`, suspect: found };
  }
  // A domain's check has the same code as a table's.
  if ((code.startsWith('22') || code === '23514') && plan.version >= 160000) {
    return { name: 'input', suspect: { kind: 'input' } };
  }
  return null;
}

async function constraintOf(
  client: pg.ClientBase,
  plan: TablePlan,
  name: string,
  reason: string,
): Promise<Suspect | null> {
  const { rows } = await client.query<{
    kind: string;
    condition: string | null;
    itself: boolean;
    simple: boolean;
    table: string;
    columns: string[] | null;
    keys: string[] | null;
  }>(
    `select c.contype as kind, pg_catalog.pg_get_expr(c.conbin, c.conrelid) as condition, c.confrelid = c.conrelid as itself,
       c.confmatchtype = 's' as simple, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(r.relname) as table,
       (select array_agg(a.attname::text order by k.ord) from unnest(c.conkey) with ordinality k(num, ord)
          join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.num) as columns,
       (select array_agg(a.attname::text order by k.ord) from unnest(c.confkey) with ordinality k(num, ord)
          join pg_catalog.pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.num) as keys
     from pg_catalog.pg_constraint c
     left join pg_catalog.pg_class r on r.oid = c.confrelid
     left join pg_catalog.pg_namespace n on n.oid = r.relnamespace
     where c.conrelid = $1::float8::int8::oid and c.conname = $2`,
    [plan.oid, name],
  );
  const found = rows[0];
  if (found?.kind === 'c' && found.condition) return { kind: 'check', condition: found.condition, reason };
  // A table that refers to itself may find a row's parent in the same batch.
  if (found?.kind !== 'f' || found.itself || !found.simple) return null;
  const columns = (found.columns ?? []).map((each) => plan.columns.findIndex((column) => column.name === each));
  if (columns.includes(-1)) return null;
  return { kind: 'foreign', columns, table: found.table, keys: found.keys!, reason };
}

/** Takes such rows out of the temporary table: _d, _l, reason, column. */
export function siftSql(plan: TablePlan, suspect: Suspect, asText: boolean): string {
  const valueAt = (i: number) => value(plan.columns[i], i, asText);
  switch (suspect.kind) {
    case 'null':
      return `delete from ${TEMP} where c${suspect.column} is null
        returning _d, _l, ${sqlText(suspect.reason)} as reason, ${sqlText(plan.columns[suspect.column].name)} as column`;
    case 'check': {
      const columns = plan.columns.map(({ name }, i) => `${valueAt(i)} as ${sqlName(name)}`).join(', ');
      return takeOut(
        `select _tidemark_at as at from (select ctid as _tidemark_at, ${columns} from ${TEMP}) t
        where not (${suspect.condition})`,
        suspect.reason,
      );
    }
    case 'foreign': {
      const given = suspect.columns.map((i) => `${valueAt(i)} is not null`).join(' and ');
      const values = suspect.columns.map((i, n) => `${valueAt(i)} as v${n}`).join(', ');
      const same = suspect.keys.map((key, n) => `r.${sqlName(key)} = s.v${n}`).join(' and ');
      return takeOut(
        `select at from (select ctid as at, ${values} from ${TEMP} where ${given}) s
        where not exists (select from ${suspect.table} r where ${same})`,
        suspect.reason,
      );
    }
    case 'input': {
      const cases = plan.columns.flatMap(({ temp, cast, full }, i) => {
        // The parser has checked it, or COPY has.
        if (!asText && temp === cast && full === cast) return [];
        return `when c${i} is not null and not pg_catalog.pg_input_is_valid(c${i}::text, ${sqlText(full)}) then ${i}`;
      });
      const pick = (of: (i: number) => string) =>
        `case bad ${plan.columns.map((_, i) => `when ${i} then ${of(i)}`).join(' ')} end`;
      const error = pick(
        (i) => `(pg_catalog.pg_input_error_info(c${i}::text, ${sqlText(plan.columns[i].full)})).message`,
      );
      return `delete from ${TEMP} t using (select ctid as at, case when false then 0 ${cases.join(' ')} end as bad from ${TEMP}) s
        where t.ctid = s.at and s.bad is not null
        returning _d, _l, ${error} as reason, ${pick((i) => sqlText(plan.columns[i].name))} as column`;
    }
  }
}

function takeOut(found: string, reason: string): string {
  return `delete from ${TEMP} where ctid = any(array(${found})) returning _d, _l, ${sqlText(reason)} as reason, null as column`;
}
