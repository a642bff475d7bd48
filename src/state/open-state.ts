/** Opens the state store, creating or upgrading it when that is wanted. */

import type { Logger } from 'pino';
import { TidemarkError } from '../model/error.ts';
import { connect } from '../postgres/connect.ts';
import type { ConnectOptions } from '../postgres/connect-options.ts';
import { StateConnections } from './connections.ts';
import { StateDatabase } from './database.ts';
import { lookUp, type Migrated, migrateState, refuseNewer } from './migrate.ts';
import { VERSION } from './migrations.ts';
import { StateStore } from './state-store.ts';

export type StateOptions = Omit<ConnectOptions, 'role'> & {
  schema: string;
  /** The configuration names none: it is in the source. */
  isSource?: boolean;
  /** One is enough: no call needs two. */
  maxConnections: number;
  /** Whether a missing or older state store is brought up to date. */
  migrate: 'if-needed' | 'never';
  /** What must succeed before a missing or older one is touched; other processes that would do that wait meanwhile. */
  checkBefore?: () => Promise<void>;
};

type StateAt = Omit<StateOptions, 'migrate' | 'checkBefore'>;

/** Throws STATE_NOT_MIGRATED, STATE_NEWER, STATE_GRANT, STATE_READ_ONLY and what connect and the check throw. */
export async function openState(options: StateOptions, log: Logger, signal: AbortSignal): Promise<StateStore> {
  const database = openDatabase(options, log);
  try {
    const found = await look(database, signal);
    if (found.version === VERSION) return new StateStore(found.id!, database);
    if (options.migrate === 'never') throw notMigrated(found.version, options.schema);
    const { from, to, schema } = await migrateState(database, signal, options.checkBefore);
    if (from !== to) log.info({ schema, from, to }, from === 0 ? 'state store created' : 'state store upgraded');
    return new StateStore((await look(database, signal)).id!, database);
  } catch (error) {
    await database[Symbol.asyncDispose]();
    throw error;
  }
}

/** Creates or upgrades the state store, and closes it. */
export async function migrateOnly(options: StateAt, log: Logger, signal: AbortSignal): Promise<Migrated> {
  await using database = openDatabase(options, log);
  return await migrateState(database, signal);
}

function openDatabase(options: StateAt, log: Logger): StateDatabase {
  // Not the caller's signal: after it, leases are still to be given back.
  const never = new AbortController().signal;
  const open = async () => {
    try {
      return await connect({ ...options, role: 'state' }, never);
    } catch (error) {
      // Of a configuration without a state of its own the source's words are to be mended.
      if (options.isSource && error instanceof TidemarkError && error.code === 'CONFIG_INVALID')
        return await connect({ ...options, role: 'source' }, never);
      throw error;
    }
  };
  return new StateDatabase(new StateConnections(open, options.maxConnections), options.schema, log);
}

/** Version 0: nothing there. */
async function look(database: StateDatabase, signal: AbortSignal): Promise<{ version: number; id?: string }> {
  return database.transact(
    'read the version',
    async (tx) => {
      const { version } = await lookUp(tx);
      refuseNewer(version, tx.schema);
      if (version === 0) return { version };
      const { id } = await tx.db.selectFrom('store').select('id').executeTakeFirstOrThrow();
      return { version, id };
    },
    signal,
  );
}

function notMigrated(version: number, schema: string): TidemarkError {
  const message =
    version === 0
      ? `there is no state store in schema "${schema}"`
      : `the state store in schema "${schema}" has version ${version}, this tidemark needs ${VERSION}`;
  return new TidemarkError('STATE_NOT_MIGRATED', message, { hint: 'tidemark migrate' });
}
