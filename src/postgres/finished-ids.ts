/** Which transactions are over. Invariant: what is called finished is visible to every snapshot that is taken later. */

import { sql } from 'kysely';
import type pg from 'pg';
import { complement, normalize, parseRanges } from '../model/id-ranges.ts';
import type { IdRange } from '../model/mark.ts';
import { rowsOf } from './query.ts';

/** In one statement: 50,000 take 14 ms. */
export const ASKED_AT_ONCE = 2_000_000n;

/** Those of these ids that are over now; no more than ASKED_AT_ONCE of them. */
export async function finishedAmong(client: pg.ClientBase, ranges: IdRange[]): Promise<IdRange[]> {
  if (ranges.length === 0) return [];
  // pg_xact_status, not pg_visible_in_snapshot: the latter calls subtransactions of an open transaction visible.
  const [{ finished }] = await rowsOf(
    client,
    sql<{ finished: string | null }>`
      select pg_catalog.range_agg(pg_catalog.int8range(x, x + 1))::text as finished
      from rows from (pg_catalog.unnest(${ranges.map((r) => String(r.from))}::int8[]),
        pg_catalog.unnest(${ranges.map((r) => String(r.to - 1n))}::int8[])) r(a, b)
      cross join lateral pg_catalog.generate_series(r.a, r.b) x
      where pg_catalog.pg_xact_status(x::text::pg_catalog.xid8) is distinct from 'in progress'`,
  );
  return parseRanges(finished ?? '{}');
}

/**
 * All ids that are finished now, from the oldest transaction under way on; `known` are taken for finished. However many there
 * are: nobody may take an id for unfinished that was over before the look at activity, for no floor holds for its rows.
 */
export async function allFinished(client: pg.ClientBase, known: IdRange[]): Promise<IdRange[]> {
  const [{ xmin, xmax }] = await rowsOf(
    client,
    sql<{ xmin: string; xmax: string }>`
      select pg_catalog.pg_snapshot_xmin(s)::text as xmin, pg_catalog.pg_snapshot_xmax(s)::text as xmax
      from pg_catalog.pg_current_snapshot() s`,
  );
  const found = [...known];
  for (const open of complement(known, { from: BigInt(xmin), to: BigInt(xmax) })) {
    for (let from = open.from; from < open.to; from += ASKED_AT_ONCE) {
      const to = from + ASKED_AT_ONCE < open.to ? from + ASKED_AT_ONCE : open.to;
      found.push(...(await finishedAmong(client, [{ from, to }])));
    }
  }
  return normalize(found);
}
