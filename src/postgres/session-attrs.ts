/** What a server must be: libpq's target_session_attrs, asked of the server itself, for poolers do not pass it on. */

import type pg from 'pg';
import type { SessionAttrs } from './database-url.ts';

/** The server is not what the URL asks for; another of its hosts may be. */
export class OtherServer extends Error {}

/** Throws OtherServer, or what pg throws. */
export async function requireAttrs(client: pg.ClientBase, wanted: SessionAttrs): Promise<void> {
  const { rows } = await client.query<{ standby: boolean; readonly: boolean }>(
    `select pg_catalog.pg_is_in_recovery() as standby,
      pg_catalog.current_setting('default_transaction_read_only') = 'on' as readonly`,
  );
  const [{ standby, readonly }] = rows;
  const is = standby ? 'the server is a standby' : readonly ? 'the server is read-only' : 'the server takes writes';
  const fits = {
    any: true,
    'read-write': !standby && !readonly,
    'read-only': standby || readonly,
    primary: !standby,
    standby,
  }[wanted];
  if (!fits) throw new OtherServer(`${is}, which target_session_attrs=${wanted} does not want`);
}
