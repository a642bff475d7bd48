/** What servers and poolers say when they have no connection to give, in words that tell which setting it is. Pure. */

import { TidemarkError } from '../model/error.ts';
import type { ConnectPlace } from './connect-error.ts';

/** A hint for SQLSTATE 53300, whose message alone tells whose limit it is. */
export function connectionLimit(message: string, { user, database }: Pick<ConnectPlace, 'user' | 'database'>): string {
  if (/connections for role/.test(message))
    return `ALTER ROLE "${user}" CONNECTION LIMIT sets it; source.connections is what tidemark opens`;
  if (/connections for database/.test(message)) return `ALTER DATABASE "${database}" CONNECTION LIMIT sets it`;
  if (/reserved/.test(message))
    return 'all of max_connections that are not reserved are in use: free some, or raise max_connections';
  return 'all of max_connections are in use: free some, or raise max_connections';
}

type PoolerRefusal = {
  says: RegExp;
  kind: 'unreachable' | 'auth' | 'tls' | 'database';
  what: (message: string, place: ConnectPlace) => string;
  hint: (place: ConnectPlace, url: string, message: string) => string;
};

/** pgbouncer's, in its own words (1.18 to 1.24); the first that fits. */
export const POOLER_REFUSALS: PoolerRefusal[] = [
  {
    says: /unsupported startup parameter/,
    kind: 'unreachable',
    what: (message) => `the pooler refuses a setting: ${message}`,
    hint: (_, url) =>
      `take options=… out of ${url} and PGOPTIONS out of the environment; ALTER ROLE … SET does the same`,
  },
  {
    says: /password authentication failed|no such user|SASL authentication failed|auth(entication)? failed|login rejected/,
    kind: 'auth',
    what: (message, { user }) => `the pooler refused user "${user}": ${message}`,
    hint: (_, url) => `${url}, or PGPASSWORD, or ~/.pgpass; and the user must be known to the pooler too`,
  },
  {
    says: /no such database/,
    kind: 'database',
    what: (_, { database }) => `the pooler knows no database "${database}"`,
    hint: (_, url) => `its name comes from ${url}; a pooler has names of its own for databases`,
  },
  {
    says: /SSL required/,
    kind: 'tls',
    what: () => 'the pooler wants TLS',
    hint: () => 'sslmode=verify-full, or at least require',
  },
  {
    says: /max_client_conn|no more connections allowed/,
    kind: 'unreachable',
    what: (message) => `the pooler has no connection left: ${message}`,
    hint: () => 'raise max_client_conn of the pooler, or try again later',
  },
  {
    says: /too many connections/,
    kind: 'unreachable',
    what: (message) => `the pooler gets no connection from the server: ${message}`,
    hint: (place, _, message) => connectionLimit(message, place),
  },
  {
    says: /query_wait_timeout|server_login_retry|server login|cannot connect to server|connect failed/,
    kind: 'unreachable',
    what: (message) => `the pooler gets no connection from the server: ${message}`,
    hint: () => 'does the server behind the pooler run, and is its pool large enough (default_pool_size)?',
  },
];

/** POOLER_MODE where a pooler lends connections by the statement; null: it is another error. */
export function poolerMode(error: unknown): TidemarkError | null {
  if (!/transaction blocks not allowed in statement pooling mode/.test(String((error as Error)?.message))) return null;
  return new TidemarkError('POOLER_MODE', 'the pooler lends connections by the statement, and allows no transactions', {
    cause: error,
    hint: 'pool_mode = transaction (or session) for this database, or connect to the server itself',
  });
}
