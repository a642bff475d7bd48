/**
 * Finds the rows that only an INSERT shows to be bad: a trigger's exception, another unique index. Invariant: the rows go in in
 * their order, in ranges that shrink before a bad row and grow after it; all of it within the server, since a round trip
 * for each range would take minutes where this takes seconds.
 */

import type pg from 'pg';
import { insertSql, TEMP } from './batch-sql.ts';
import type { PutInto, Refused } from './put-rows.ts';

const REFUSED = 'pg_temp.tidemark_refused';
const WRITTEN = 'pg_temp.tidemark_written';

export async function searchRows(
  client: pg.ClientBase,
  { plan, into, onConflict }: Pick<PutInto, 'plan' | 'into' | 'onConflict'>,
  asText: boolean,
  by: '_d' | '_l',
): Promise<{ refused: Refused[]; written: Map<number, number> }> {
  const where = 'ctid >= _tidemark_lo and ctid <= _tidemark_hi';
  const insert = insertSql(plan, into, onConflict, { asText, where, countBy: by, countInto: WRITTEN });
  await client.query(`create temporary table tidemark_refused (n int4, l int8, reason text, "column" text) on commit drop;
    create temporary table tidemark_written (n int8, rows int4) on commit drop;
    ${search(insert)}`);
  const refused = await client.query<{ n: number; l: string; reason: string; column: string | null }>(
    `select n, l, reason, nullif("column", '') as column from ${REFUSED}`,
  );
  const written = await client.query<{ n: string; rows: number }>(
    `select n, sum(rows)::int4 as rows from ${WRITTEN} group by n`,
  );
  return {
    refused: refused.rows.map(({ n, l, reason, column }) => ({ number: n, line: Number(l), reason, column })),
    written: new Map(written.rows.map(({ n, rows }) => [Number(n), rows])),
  };
}

// The names are long so that no column of the table is called so: plpgsql would not know which is meant.
const search = (insert: string) => `do $tidemark_search$
declare
  _tidemark_at tid[] := array(select ctid from ${TEMP} order by ctid);
  _tidemark_rows int := coalesce(array_length(_tidemark_at, 1), 0);
  _tidemark_from int := 1;
  _tidemark_size int := greatest(_tidemark_rows / 2, 1);
  _tidemark_to int;
  _tidemark_lo tid;
  _tidemark_hi tid;
  _tidemark_reason text;
  _tidemark_column text;
begin
  while _tidemark_from <= _tidemark_rows loop
    _tidemark_to := least(_tidemark_from + _tidemark_size - 1, _tidemark_rows);
    _tidemark_lo := _tidemark_at[_tidemark_from];
    _tidemark_hi := _tidemark_at[_tidemark_to];
    begin
      ${insert};
      _tidemark_from := _tidemark_to + 1;
      _tidemark_size := _tidemark_size * 2;
    exception when others then
      if sqlstate !~ '^(21|22|23|44|P0|54)' then raise; end if;
      if _tidemark_from = _tidemark_to then
        get stacked diagnostics _tidemark_reason = message_text, _tidemark_column = column_name;
        with gone as (delete from ${TEMP} where ctid = _tidemark_lo returning _d, _l)
        insert into ${REFUSED} select _d, _l, _tidemark_reason, _tidemark_column from gone;
        _tidemark_from := _tidemark_from + 1;
      end if;
      _tidemark_size := greatest((_tidemark_to - _tidemark_from + 1) / 2, 1);
    end;
  end loop;
end $tidemark_search$`;
