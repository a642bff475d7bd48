/** Rows that nothing else removes. Invariant: what anybody may still want stays; old runs have a way of their own, archives.ts. */

import { sql } from 'kysely';
import type { StateTx } from './database.ts';
import { tableIn } from './sql.ts';

/** Deletes slots of processes that died long ago, and notes of work whose table or load nobody has had for a year. */
export async function pruneRows({ db, schema }: StateTx): Promise<void> {
  // An expired slot is free; its row goes once nobody can still be renewing it.
  await sql`delete from ${tableIn(schema, 'source_slot')} where expires_at < statement_timestamp() - interval '1 day'`.execute(
    db,
  );
  // A schedule may be a yearly one.
  await sql`delete from ${tableIn(schema, 'daemon_work')} where ended_at < statement_timestamp() - interval '400 days'`.execute(
    db,
  );
}
