/** Creates or upgrades the state store. Invariant: forward only, all or nothing, one process at a time. */

import { sql } from 'kysely';
import { TidemarkError } from '../model/error.ts';
import type { Limits, StateDatabase, StateTx } from './database.ts';
import { MIGRATIONS, VERSION } from './migrations.ts';
import { tableIn } from './sql.ts';
import { createGrants } from './state-error.ts';

/** `from` 0: there was no state store. */
export type Migrated = { schema: string; from: number; to: number; applied: string[] };

/** Others may be migrating: their lock is waited for. */
const LIMITS: Limits = { lockMs: 60_000, statementMs: 60_000 };

/** How long a check before the first change may take; the transaction is idle meanwhile. In milliseconds. */
const CHECK_MS = 120_000;

/**
 * Resolves once the schema is at this program's version. `check`: what must succeed before anything is changed; one process
 * at a time is there. Throws STATE_NEWER, STATE_GRANT, and what `check` throws.
 */
export async function migrateState(
  database: StateDatabase,
  signal: AbortSignal,
  check: () => Promise<void> = async () => {},
): Promise<Migrated> {
  return database.transact('migrate', (tx) => migrate(tx, database, check), signal, LIMITS);
}

async function migrate(tx: StateTx, database: StateDatabase, check: () => Promise<void>): Promise<Migrated> {
  const { db, schema } = tx;
  // Of the transaction, not of the session: behind a pooler a session's lock is left with a stranger.
  await sql`select pg_advisory_xact_lock(hashtextextended(${`tidemark migrate ${schema}`}, 0))`.execute(db);
  const { schemaThere, version: from } = await lookUp(tx);
  refuseNewer(from, schema);
  const todo = MIGRATIONS.filter(({ version }) => version > from);
  if (todo.length > 0) {
    await sql`select pg_catalog.set_config('idle_in_transaction_session_timeout', ${`${CHECK_MS}ms`}, true)`.execute(
      db,
    );
    await check();
  }
  try {
    // Not `if not exists`: that asks for the right to create schemas even when there is nothing to create.
    if (!schemaThere) await sql`create schema ${sql.id(schema)}`.execute(db);
    if (from === 0) await createVersionTable(tx);
    for (const { version, name, up } of todo) {
      await up(db as never, schema);
      await db.insertInto('tidemark_migration').values({ version, name }).execute();
    }
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== '42501') throw cause;
    throw new TidemarkError('STATE_GRANT', `no right to create the state store: ${(cause as Error).message}`, {
      cause,
      hint: createGrants(database.place(), schemaThere),
    });
  }
  return { schema, from, to: VERSION, applied: todo.map(({ name }) => name) };
}

async function createVersionTable({ db, schema }: StateTx): Promise<void> {
  const table = tableIn(schema, 'tidemark_migration');
  await sql`create table ${table} (
    version integer primary key, name text not null, applied_at timestamptz not null default clock_timestamp())`.execute(
    db,
  );
  await sql`comment on table ${table} is 'Migrations of this schema that were applied.'`.execute(db);
}

/** What is there; version 0: no state store. Reads the catalog first, which is open to roles without any right on the schema. */
export async function lookUp({ db, schema }: StateTx): Promise<{ schemaThere: boolean; version: number }> {
  const { rows } = await sql<{ migrated: boolean }>`
    select c.oid is not null as migrated from pg_namespace n
    left join pg_class c on c.relnamespace = n.oid and c.relname = 'tidemark_migration'
    where n.nspname = ${schema}`.execute(db);
  if (!rows[0]?.migrated) return { schemaThere: rows.length > 0, version: 0 };
  const latest = await db
    .selectFrom('tidemark_migration')
    .select(({ fn }) => fn.max('version').as('version'))
    .executeTakeFirst();
  return { schemaThere: true, version: latest?.version ?? 0 };
}

export function refuseNewer(version: number, schema: string): void {
  if (version <= VERSION) return;
  throw new TidemarkError(
    'STATE_NEWER',
    `the state store in schema "${schema}" has version ${version}, this tidemark knows ${VERSION}`,
    {
      hint: 'upgrade this tidemark: a newer one has upgraded the state store',
    },
  );
}
