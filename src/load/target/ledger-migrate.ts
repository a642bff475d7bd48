/** Creates or upgrades the ledger in the target. Invariant: forward only, all or nothing, one process at a time. */

import type pg from 'pg';
import { up as drops } from '../../../migrations/ledger-0001-drops.ts';
import { up as failures } from '../../../migrations/ledger-0002-failures.ts';
import { TidemarkError } from '../../model/error.ts';
import { sqlName } from './sql-name.ts';

type LedgerMigration = { version: number; name: string; up: (at: string) => string };

/** Invariant: a released one never changes; the next one is added below. */
const MIGRATIONS: readonly LedgerMigration[] = [
  { version: 1, name: 'ledger-0001-drops', up: drops },
  { version: 2, name: 'ledger-0002-failures', up: failures },
];
const VERSION = MIGRATIONS.at(-1)!.version;

/** Returns the version that was there; 0: none. Throws TARGET_NEWER, TARGET_GRANT, and what pg throws. */
export async function migrateLedger(client: pg.Client, schema: string): Promise<number> {
  const there = (await lookUp(client, schema)).version;
  refuseNewer(there, schema);
  if (there === VERSION) return there;
  await client.query(
    "begin isolation level read committed read write; set local lock_timeout = '60s'; set local statement_timeout = '60s'; set local search_path = pg_catalog, pg_temp",
  );
  try {
    const from = await migrate(client, schema);
    await client.query('commit');
    return from;
  } catch (cause) {
    await client.query('rollback').catch(() => {});
    if ((cause as { code?: unknown }).code !== '42501') throw cause;
    const [at, role] = [sqlName(schema), sqlName(client.user ?? 'tidemark')];
    throw new TidemarkError('TARGET_GRANT', `no right to create the ledger: ${(cause as Error).message}`, {
      cause,
      hint: `CREATE SCHEMA ${at} AUTHORIZATION ${role}; or, when it is there, GRANT USAGE, CREATE ON SCHEMA ${at} TO ${role}`,
    });
  }
}

async function migrate(client: pg.Client, schema: string): Promise<number> {
  // Of the transaction, not of the session: behind a pooler a session's lock is left with a stranger.
  await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`tidemark migrate ${schema}`]);
  const { schemaThere, version: from } = await lookUp(client, schema);
  refuseNewer(from, schema);
  const at = sqlName(schema);
  // Not `if not exists`: that asks for the right to create schemas even when there is nothing to create.
  if (!schemaThere) await client.query(`create schema ${at}`);
  if (from === 0) {
    await client.query(`create table ${at}.ledger_migration (
        version integer primary key, name text not null, applied_at timestamptz not null default clock_timestamp());
      comment on table ${at}.ledger_migration is 'Migrations of the ledger of loads that were applied.'`);
  }
  for (const { version, name, up } of MIGRATIONS.filter((each) => each.version > from)) {
    await client.query(up(at));
    await client.query(`insert into ${at}.ledger_migration (version, name) values ($1, $2)`, [version, name]);
  }
  return from;
}

/** Version 0: no ledger. Reads the catalog first, which is open to roles without any right on the schema. */
async function lookUp(client: pg.ClientBase, schema: string): Promise<{ schemaThere: boolean; version: number }> {
  const { rows } = await client.query<{ migrated: boolean }>(
    `select c.oid is not null as migrated from pg_catalog.pg_namespace n
     left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'ledger_migration' where n.nspname = $1`,
    [schema],
  );
  if (!rows[0]?.migrated) return { schemaThere: rows.length > 0, version: 0 };
  const latest = await client.query<{ version: number | null }>(
    `select max(version) as version from ${sqlName(schema)}.ledger_migration`,
  );
  return { schemaThere: true, version: latest.rows[0].version ?? 0 };
}

function refuseNewer(version: number, schema: string): void {
  if (version <= VERSION) return;
  throw new TidemarkError(
    'TARGET_NEWER',
    `the ledger in schema "${schema}" of the target has version ${version}, this tidemark knows ${VERSION}`,
    { hint: 'upgrade this tidemark: a newer one has upgraded the ledger' },
  );
}
