/** Where tables stand, and idle ones' marks moved, both without a lease. Invariant: a mark moves only from what it was when it was read. */

import { sql } from 'kysely';
import type { Mark } from '../model/mark.ts';
import type { WrittenColumn } from '../model/run.ts';
import type { StateTx } from './database.ts';
import { type Held, refuseClash, type Wanted } from './leases.ts';
import { type MarkJson, markFromJson, markToJson } from './mark-json.ts';
import { instant, now, tableIn } from './sql.ts';

export type Standing = {
  /** Null: nothing was exported yet. */
  mark: Mark | null;
  /** What moveMarks() needs; null while somebody works on the table, has paused it, or has left a run that must be repaired first. */
  rest: Rest | null;
  /** Who works on it, or paused it. */
  held: Held | null;
};

export type Rest = { tableId: number; before: MarkJson; columns: WrittenColumn[] };

type Row = {
  wanted: string;
  id: number;
  schema_name: string;
  table_name: string;
  folder: string;
  mark: MarkJson | null;
  columns: WrittenColumn[] | null;
  resting: boolean;
  holder: string | null;
  expires_at: string | null;
  paused_by: string | null;
  paused_at: string | null;
};

/** In the order of `wanted`. Locks nothing. Throws FOLDER_CLASH. */
export async function readStanding({ db, schema }: StateTx, wanted: Wanted[]): Promise<Standing[]> {
  const query = sql<Row>`
    select w.folder as wanted, t.id, t.schema_name, t.table_name, t.folder, t.mark, t.columns, ${isResting(schema)} as resting,
      case when l.expires_at > ${now} then l.holder end as holder, ${instant('l.expires_at')} as expires_at,
      t.paused_by, ${instant('t.paused_at')} as paused_at
    from unnest(${wanted.map(({ folder }) => folder)}::text[]) as w(folder)
    join ${tableIn(schema, 'source_table')} t on lower(t.folder collate "C") = lower(w.folder collate "C")
    left join ${tableIn(schema, 'lease')} l on l.table_id = t.id and l.kind = 'export'`;
  const rows = new Map((await query.execute(db)).rows.map((row) => [row.wanted, row]));
  return wanted.map((want) => {
    const row = rows.get(want.folder);
    if (!row) return { mark: null, rest: null, held: null };
    refuseClash(want, row);
    const mark = row.mark && markFromJson(row.mark);
    const held = heldBy(row);
    if (!row.resting || !row.mark || !row.columns) return { mark, rest: null, held };
    return { mark, rest: { tableId: row.id, before: row.mark, columns: row.columns }, held };
  });
}

function heldBy({ holder, expires_at, paused_by, paused_at }: Row): Held | null {
  if (paused_by !== null) return { state: 'held', holder: paused_by, expiresAt: null, pausedSince: paused_at! };
  return holder === null ? null : { state: 'held', holder, expiresAt: expires_at! };
}

function isResting(schema: string) {
  return sql<boolean>`(t.paused_at is null and (l.holder is null or l.expires_at <= ${now})
    and not exists (select from ${tableIn(schema, 'run')} r
      where r.table_id = t.id and r.kind in ('export', 'reconcile') and r.state in ('planned', 'prepared')))`;
}

/**
 * Moves the marks of tables in which a look found nothing new. A table on which somebody has begun to work since, or whose
 * mark is another by now, keeps what it has.
 *
 * No lease is needed: the new mark says the same as the old one, as of a later snapshot. Whoever takes the lease meanwhile
 * and began from the old mark brings, and notes, everything since the old one.
 */
export async function moveMarks({ db, schema }: StateTx, entries: { rest: Rest; mark: Mark }[]): Promise<void> {
  const list = entries.map(({ rest, mark }) => ({ id: rest.tableId, before: rest.before, mark: markToJson(mark) }));
  await sql`
    with idle as materialized (
      select t.id, e.mark
      from jsonb_to_recordset(${JSON.stringify(list)}::jsonb) as e(id int, before jsonb, mark jsonb)
      join ${tableIn(schema, 'source_table')} t on t.id = e.id and t.mark = e.before
      left join ${tableIn(schema, 'lease')} l on l.table_id = t.id and l.kind = 'export'
      where ${isResting(schema)}
      order by t.id
      for no key update of t)
    update ${tableIn(schema, 'source_table')} t
    set mark = idle.mark, last_checked_at = ${now}, failed_run = null
    from idle where t.id = idle.id`.execute(db);
}
