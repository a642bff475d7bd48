/** What a failed statement on the target means: a row's fault, worth another attempt, or which error for the user. Pure. */

import { TidemarkError } from '../../model/error.ts';
import { displayName, type TableName } from '../../model/table.ts';
import { poolerMode } from '../../postgres/connect-refusals.ts';
import { connectionLost } from '../../postgres/connection-lost.ts';

/** pg's DatabaseError, as far as we read it. */
export type ServerError = Error & {
  code?: string;
  column?: string;
  constraint?: string;
  schema?: string;
  table?: string;
  where?: string;
};

/** Some row is at fault: a value, a constraint, a trigger that raised, an index entry too large. */
export function isRowError(error: unknown): error is ServerError {
  const { code } = (error ?? {}) as ServerError;
  return error instanceof Error && typeof code === 'string' && /^(21|22|23|44|P0|54)...$/.test(code);
}

/**
 * The same batch may succeed later: serialization failure, deadlock, lock or statement timeout, disk or memory or
 * connections used up, a restart, a lost connection.
 */
export function worthRepeating(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: string };
  if (typeof code === 'string' && /^(40001|40P01|40003|55P03|57014|53...)$/.test(code)) return true;
  return code === 'TARGET_UNREACHABLE' || connectionLost(error);
}

/** `doing` completes "the target failed to …". */
export function targetError(error: unknown, doing: string, table: TableName, role: string | undefined): unknown {
  if (error instanceof TidemarkError || (error as Error)?.name === 'AbortError') return error;
  const { code, message } = (error ?? {}) as ServerError;
  const pooler = poolerMode(error);
  if (pooler) return pooler;
  const place = { table: displayName(table), cause: error };
  switch (code) {
    case '42501':
      return new TidemarkError('TARGET_GRANT', `no right to ${doing}: ${message}`, {
        ...place,
        hint: `GRANT SELECT, INSERT, UPDATE ON ${displayName(table)} TO "${role ?? 'the role'}"; of the ledger's schema the role is best the owner`,
      });
    case '25006':
    case '0A000':
      if (code === '25006' || /recovery/.test(message)) {
        return new TidemarkError('TARGET_READ_ONLY', `the target cannot be written to: ${message}`, {
          ...place,
          hint: 'name a database that accepts writes in `target:`',
        });
      }
      break;
    case '42P01':
    case '42703':
    case '42P10':
      return new TidemarkError('TARGET_TABLE', `the target has changed: ${message}`, {
        ...place,
        hint: 'run the load again: it looks at the table anew',
      });
  }
  const sqlstate = typeof code === 'string' ? ` (${code})` : '';
  return new TidemarkError('TARGET_FAILED', `the target failed to ${doing}: ${message}${sqlstate}`, {
    ...place,
    hint: 'what was loaded stays loaded; the next load goes on with the rest',
  });
}
