/** What a database is called where several processes must mean the same one. Pure. */

import { parseDatabaseUrl } from './database-url.ts';

/** `host:port/database`, as the URL and the environment say it, in lower case where the case does not matter; no user, no password. */
export function serverName(url: string, env: Record<string, string | undefined>): string {
  const { hosts, database, user } = parseDatabaseUrl(url, "the source's URL");
  const named = hosts.map(
    ({ host, port }) => `${(host ?? (env.PGHOST || 'localhost')).toLowerCase()}:${port ?? (env.PGPORT || 5432)}`,
  );
  return `${named.join(',')}/${database ?? (env.PGDATABASE || user) ?? ''}`;
}
