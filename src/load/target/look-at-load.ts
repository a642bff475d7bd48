/** What tells that a target server has too much to do. */

import type pg from 'pg';
import type { Look } from './pressure.ts';

/** How far its standbys are behind, and how many wait for a lock. */
export async function lookAtLoad(client: pg.ClientBase): Promise<Look> {
  const { rows } = await client.query<{ lag: number | null; waits: number }>(
    `select (select max(extract(epoch from replay_lag) * 1000)::float8 from pg_catalog.pg_stat_replication) as lag,
       (select count(*)::int4 from pg_catalog.pg_locks where not granted) as waits`,
  );
  return { lagMs: rows[0].lag, lockWaits: rows[0].waits };
}
