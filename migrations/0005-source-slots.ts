/** Connections to sources, counted over all processes. Invariant: who has no row here opens none for an export. */

import { type Kysely, sql } from 'kysely';

/** Adds to the tables in `schema`. Runs inside the migration's transaction. */
export async function up(db: Kysely<never>, schema: string): Promise<void> {
  const at = `"${schema.replaceAll('"', '""')}"`;
  await sql.raw(statements(at)).execute(db);
}

// Unlogged: after a crash of the server nobody's row is worth anything, and no take or give waits for a disk.
const statements = (at: string) => `
create unlogged table ${at}.source_slot (
  source text not null,
  slot integer not null,
  claim uuid not null unique,
  holder text not null,
  expires_at timestamptz not null,
  wanted_until timestamptz,
  primary key (source, slot)
) with (fillfactor = 50);
comment on table ${at}.source_slot is 'One row for each connection that exports have open to a source, from 1 to source.connections (less one for a state store in the same database). Times are of this database''s clock.';
comment on column ${at}.source_slot.source is 'host:port/database as the configuration writes them.';
comment on column ${at}.source_slot.claim is 'The connection, so that a repeat after a lost connection to this database finds its own row.';
comment on column ${at}.source_slot.holder is 'For people: host and process.';
comment on column ${at}.source_slot.expires_at is 'Renewed while the connection is open; from then on another may take the row.';
comment on column ${at}.source_slot.wanted_until is 'Until then some process without any connection waits: whoever is done with a piece of work gives way. Null: nobody has waited.';
`;
