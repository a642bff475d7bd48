/** What a failed statement on the state store means: worth a repeat, or which error for the user. Pure. */

import { TidemarkError } from '../model/error.ts';
import { poolerMode } from '../postgres/connect-refusals.ts';
import { connectionLost } from '../postgres/connection-lost.ts';

export type StatePlace = { schema: string; user?: string; database?: string };

type Failure = { code?: unknown; message?: unknown };

/** Repeating the transaction may succeed. Sound for every transaction of the state store: each can be repeated. */
export function worthRepeating(error: unknown): boolean {
  // What another database answered in the middle of it.
  if (error instanceof TidemarkError && error.code !== 'STATE_UNREACHABLE') return false;
  const { code } = (error ?? {}) as Failure;
  // Serialization failure and deadlock: Postgres chose this transaction to give way.
  if (code === '40001' || code === '40P01') return true;
  return code === 'STATE_UNREACHABLE' || connectionLost(error);
}

/** `doing`: what was attempted, for the message ("commit run 12"). */
export function stateError(error: unknown, doing: string, place: StatePlace): unknown {
  if (error instanceof TidemarkError || (error as Error)?.name === 'AbortError') return error;
  const { code, message } = (error ?? {}) as Failure;
  const schema = quote(place.schema);
  const pooler = poolerMode(error);
  if (pooler) return pooler;
  switch (code) {
    case '42P01': // undefined table
    case '3F000': // undefined schema
      return new TidemarkError('STATE_NOT_MIGRATED', `there is no state store in schema ${schema}`, {
        cause: error,
        hint: 'tidemark migrate',
      });
    case '42501': // insufficient privilege
      return new TidemarkError('STATE_GRANT', `no right to ${doing} in the state store: ${message}`, {
        cause: error,
        hint: useGrants(place),
      });
    case '25006': // read-only transaction
    case '0A000': // "cannot set transaction read-write mode during recovery"
      return new TidemarkError(
        'STATE_READ_ONLY',
        /recovery/.test(String(message))
          ? 'a standby cannot hold the state store, for it takes no writes'
          : `the state store's database cannot be written to: ${message}`,
        { cause: error, hint: 'set state.url to a database that accepts writes: the primary, or any other Postgres' },
      );
    default:
      return new TidemarkError('STATE_FAILED', `the state store failed to ${doing}: ${message}`, { cause: error });
  }
}

function useGrants({ schema, user }: StatePlace): string {
  const [at, role] = [quote(schema), quote(user ?? 'tidemark')];
  return [
    `GRANT USAGE ON SCHEMA ${at} TO ${role};`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${at} TO ${role};`,
    `GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${at} TO ${role}`,
  ].join(' ');
}

/** The rights that creating or upgrading needs. */
export function createGrants({ schema, user, database }: StatePlace, schemaExists: boolean): string {
  const [at, role] = [quote(schema), quote(user ?? 'tidemark')];
  return schemaExists
    ? `GRANT USAGE, CREATE ON SCHEMA ${at} TO ${role}; an upgrade needs the tables' owner`
    : `CREATE SCHEMA ${at} AUTHORIZATION ${role}; or GRANT CREATE ON DATABASE ${quote(database ?? '')} TO ${role}`;
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
