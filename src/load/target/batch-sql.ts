/** The statements that bring a batch into its table. Pure. */

import type { TableName } from '../../model/table.ts';
import type { LoadSettings } from '../settings.ts';
import type { PlannedColumn, TablePlan } from './plan-columns.ts';
import { sqlName, sqlTable } from './sql-name.ts';

export const TEMP = 'pg_temp.tidemark_load';

/** The temporary table. `asText`: every column, for values that COPY itself refused. */
export function createTemp(plan: TablePlan, asText: boolean): string {
  const columns = plan.columns.map((column, i) => `c${i} ${asText ? 'text' : column.temp}`);
  return `create temporary table tidemark_load (_d int4 not null, _l int8 not null, ${columns.join(', ')}) on commit drop`;
}

export const COPY_TEMP = `copy ${TEMP} from stdin (format text, encoding 'UTF8')`;

/** A column's value as the table's type, below its domains. */
export function value(column: PlannedColumn, i: number, asText: boolean): string {
  const from = asText ? 'text' : column.temp;
  return from === column.cast || (from === 'text' && isText(column)) ? `c${i}` : `c${i}::${column.cast}`;
}

function isText(column: PlannedColumn): boolean {
  return ['text', 'character varying', 'bpchar', 'character'].includes(column.cast);
}

export type InsertOptions = {
  asText: boolean;
  /** Which rows of the temporary table: a condition over ctid; null: all. */
  where: string | null;
  /** Returns the rows written of each drop: (n, written); `_l`: of each line instead. Null: only the number of rows in all. */
  countBy: '_d' | '_l' | null;
  /** A table that takes the counts instead of their being returned. */
  countInto?: string;
};

/**
 * One INSERT: of a key's rows the last counts under `update`, the first under `nothing`. In the key's order: two loaders that
 * meet on the same rows then wait for each other instead of deadlocking.
 */
export function insertSql(
  plan: TablePlan,
  into: TableName,
  onConflict: LoadSettings['onConflict'],
  { asText, where, countBy, countInto }: InsertOptions,
): string {
  const keys = plan.columns.flatMap((column, i) => (column.key ? [`c${i}${column.collate}`] : []));
  const names = plan.columns.map(({ name }) => sqlName(name)).join(', ');
  const outs = plan.columns.map((_, i) => `c${i}`).join(', ');
  const values = plan.columns.map((column, i) => `${value(column, i, asText)} as c${i}`).join(', ');
  const by = countBy === null ? '' : `, ${countBy} as n`;
  const winners = `select distinct on (${keys.join(', ')}) ${outs}${countBy === null ? '' : ', n'}
    from (select ctid as at${by}, ${values} from ${TEMP}${where === null ? '' : ` where ${where}`}) s
    order by ${keys.join(', ')}, at${onConflict === 'update' ? ' desc' : ''}`;
  const head = `insert into ${sqlTable(into)} as t (${names})${plan.overriding ? ' overriding system value' : ''}`;
  const tail = conflict(plan, onConflict);
  if (countBy === null) return `${head} select ${outs} from (${winners}) w ${tail}`;
  const returned = plan.columns.flatMap((column, i) => (column.key ? [`t.${sqlName(column.name)} as k${i}`] : []));
  const join = plan.columns.flatMap((column, i) => (column.key ? [`i.k${i} = w.c${i}`] : [])).join(' and ');
  return `with w as materialized (${winners}),
    i as (${head} select ${outs} from w ${tail} returning ${returned.join(', ')})
    ${countInto === undefined ? '' : `insert into ${countInto} `}select w.n, count(*)::int4 as written from i join w on ${join} group by w.n`;
}

function conflict(plan: TablePlan, onConflict: LoadSettings['onConflict']): string {
  const target = `on conflict (${plan.key.map(sqlName).join(', ')})`;
  const others = plan.columns.filter(({ key }) => !key);
  if (onConflict === 'nothing' || others.length === 0) return `${target} do nothing`;
  const set = others.map(({ name }) => `${sqlName(name)} = excluded.${sqlName(name)}`).join(', ');
  const side = (from: string) =>
    others.map(({ name, compareAsText }) => `${from}.${sqlName(name)}${compareAsText ? '::text' : ''}`).join(', ');
  // A row that would stay as it is costs no dead tuple, and counts as known.
  return `${target} do update set ${set} where (${side('t')}) is distinct from (${side('excluded')})`;
}
