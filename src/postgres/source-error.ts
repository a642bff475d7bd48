/** What a user is told when the source refuses or breaks off. Pure. */

import { TidemarkError } from '../model/error.ts';
import { displayName, quoteName, type TableName } from '../model/table.ts';
import { poolerMode } from './connect-refusals.ts';

/** pg's DatabaseError, as far as we read it. `role`: who was refused. */
type ServerError = Error & { code?: string; role?: string };

/** An error of the server, told who met it: the GRANT in a hint is typed as it stands. */
export function metBy(error: unknown, role: string | undefined): unknown {
  return error instanceof Error && 'code' in error && error.code === '42501' ? Object.assign(error, { role }) : error;
}

/** Turns what pg threw while working on `table` into a TidemarkError; leaves everything else as it is. */
export function sourceError(error: unknown, table: TableName): unknown {
  if (!(error instanceof Error) || error instanceof TidemarkError) {
    if (error instanceof TidemarkError && error.place.table === undefined) error.place.table = displayName(table);
    return error;
  }
  const pooler = poolerMode(error);
  if (pooler) return pooler;
  const name = displayName(table);
  const code = (error as ServerError).code ?? '';
  const options = { table: name, cause: error };
  switch (code) {
    case '42501':
      return new TidemarkError('SOURCE_GRANT', error.message, {
        ...options,
        hint: missingGrant(error, table),
      });
    case '42P01':
    case '3F000':
      return new TidemarkError('TABLE_UNKNOWN', 'there is no such table', {
        ...options,
        hint: 'was it dropped or renamed meanwhile? the next run looks again',
      });
    case '55P03':
      return new TidemarkError('SOURCE_TIMEOUT', 'somebody holds a lock on the table', {
        ...options,
        hint: 'an ALTER, TRUNCATE or VACUUM FULL is under way; the next run tries again',
      });
    case '40001':
      if (!/recovery/.test(error.message)) break;
      return new TidemarkError(
        'STANDBY_CONFLICT',
        'the standby cancelled the query: it stood in the way of its replay',
        {
          ...options,
          hint: 'on the standby: hot_standby_feedback = on, or a longer max_standby_streaming_delay; the next run tries again',
        },
      );
    case '57014':
      return new TidemarkError(
        'SOURCE_TIMEOUT',
        'a statement took longer than source.statement_timeout, or was cancelled',
        {
          ...options,
          hint: 'raise source.statement_timeout, or let the query use an index on the cursor column',
        },
      );
    case '42601':
    case '42703':
    case '42883':
    case '42804':
    case '22007':
    case '22023':
      return new TidemarkError('CONFIG_INVALID', `Postgres refuses the query: ${error.message}`, {
        ...options,
        hint: "look at the table's `where`, `start` and `timezone`; functions outside of pg_catalog need their schema in `where`",
      });
  }
  if (code === '08P01') {
    // pgbouncer has no other SQLSTATE for its limits.
    return new TidemarkError('SOURCE_LOST', `the connection to the source was ended: ${error.message}`, {
      ...options,
      hint: 'of a pooler query_timeout, idle_transaction_timeout and query_wait_timeout cut a long COPY off; nothing is lost, the next run goes on from the last mark',
    });
  }
  if (/^(08|57P)/.test(code) || /terminat|ECONN|EPIPE|not queryable|closed/i.test(`${error.message} ${code}`)) {
    return new TidemarkError('SOURCE_LOST', 'the connection to the source broke off', {
      ...options,
      hint: 'nothing is lost: the next run goes on from the last mark',
    });
  }
  if (/^[0-9A-Z]{5}$/.test(code))
    return new TidemarkError('SOURCE_FAILED', `Postgres: ${error.message} (${code})`, options);
  return error;
}

/** What an administrator types. */
function missingGrant({ message, role: name }: ServerError, table: TableName): string {
  const role = name === undefined ? 'the role' : quoteName(name);
  if (/row-level security/.test(message)) return `ALTER ROLE ${role} BYPASSRLS`;
  const select = `GRANT SELECT ON ${displayName(table)} TO ${role}`;
  return /schema/.test(message) ? `GRANT USAGE ON SCHEMA ${quoteName(table.schema)} TO ${role}; ${select}` : select;
}
