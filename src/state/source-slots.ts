/**
 * Slots: how many connections all processes together have open to a source. Invariant: a slot has one holder at a time; one
 * that is not renewed is free once it has expired. Times are of the state database's clock alone.
 */

import { sql } from 'kysely';
import type { StateTx } from './database.ts';
import { later, now, tableIn } from './sql.ts';

/** `source`: which one, as text; `most`: its slots; `urgent`: the process has no other connection, so that holders should give way. */
export type SlotClaim = { source: string; most: number; holder: string; ttlMs: number; id: string; urgent: boolean };

/** How long holders are told that somebody waits who does not ask again. In milliseconds. */
const WANTED_MS = 10_000;

export type SlotHolder = { holder: string; slots: number };

/** Takes a free slot; null: it has one now. Else who holds them. Repeatable with the same claim. */
export async function takeSlot({ db, schema }: StateTx, claim: SlotClaim): Promise<SlotHolder[] | null> {
  const table = tableIn(schema, 'source_slot');
  const take = sql<{ slot: number }>`
    insert into ${table} as held (source, slot, claim, holder, expires_at)
    select ${claim.source}, s.slot, ${claim.id}::uuid, ${claim.holder}, ${later(claim.ttlMs)}
    from generate_series(1, ${claim.most}::int) s(slot)
    left join ${table} h on h.source = ${claim.source} and h.slot = s.slot
    where (h.slot is null or h.expires_at <= ${now})
      and not exists (select from ${table} own where own.claim = ${claim.id}::uuid)
    order by s.slot limit 1
    on conflict (source, slot) do update
      set claim = excluded.claim, holder = excluded.holder, expires_at = excluded.expires_at, wanted_until = null
      where held.expires_at <= ${now}
    returning slot`;
  // Another took the same one in the same moment: there may be others.
  for (let attempt = 0; attempt < claim.most; attempt++) {
    if ((await take.execute(db)).rows.length > 0) return null;
    const { rows } = await sql<{ holder: string; slots: number; own: boolean }>`
      select holder, count(*)::int as slots, bool_or(claim = ${claim.id}::uuid) as own from ${table}
      where source = ${claim.source} and slot <= ${claim.most} and expires_at > ${now}
      group by holder order by slots desc, holder`.execute(db);
    if (rows.some(({ own }) => own)) return null;
    if (rows.reduce((sum, { slots }) => sum + slots, 0) < claim.most) continue;
    // Rows that their holders are just renewing are left out: two that lock many rows would wait for each other.
    if (claim.urgent)
      await sql`
        with held as materialized (
          select source, slot from ${table}
          where source = ${claim.source} and slot <= ${claim.most}
            and (wanted_until is null or wanted_until < ${later(WANTED_MS / 2)})
          for no key update skip locked)
        update ${table} s set wanted_until = ${later(WANTED_MS)}
        from held where s.source = held.source and s.slot = held.slot`.execute(db);
    return rows.map(({ holder, slots }) => ({ holder, slots }));
  }
  return [];
}

/** Prolongs the slots of these claims. `lost`: claims that have none any more; `wanted`: a process without any waits for one. */
export async function renewSlots(
  { db, schema }: StateTx,
  claims: string[],
  ttlMs: number,
): Promise<{ lost: string[]; wanted: boolean }> {
  const query = sql<{ claim: string; wanted: boolean }>`
    update ${tableIn(schema, 'source_slot')} set expires_at = ${later(ttlMs)}
    where claim = any(${claims}::uuid[]) returning claim, coalesce(wanted_until > ${now}, false) as wanted`;
  const { rows } = await query.execute(db);
  const kept = new Set(rows.map(({ claim }) => claim));
  return { lost: claims.filter((claim) => !kept.has(claim)), wanted: rows.some(({ wanted }) => wanted) };
}

export async function giveSlots({ db, schema }: StateTx, claims: string[]): Promise<void> {
  await sql`delete from ${tableIn(schema, 'source_slot')} where claim = any(${claims}::uuid[])`.execute(db);
}
