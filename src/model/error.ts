/** Every error that a user can meet: its code, its exit code, and whether trying again may help. docs/errors.md has a row for each. */

type Kind = { exit: 1 | 2 | 3 | 4; retried: boolean };

export const ERRORS = {
  USAGE: { exit: 2, retried: false },
  CONFIG_NOT_FOUND: { exit: 2, retried: false },
  CONFIG_INVALID: { exit: 2, retried: false },
  CONFIG_EXISTS: { exit: 2, retried: false },
  ENV_MISSING: { exit: 2, retried: false },
  CONFIG_RESTART: { exit: 2, retried: false },
  TABLE_UNKNOWN: { exit: 2, retried: false },
  TABLE_AMBIGUOUS: { exit: 2, retried: false },
  FOLDER_CLASH: { exit: 2, retried: false },
  RELATION_KIND: { exit: 2, retried: false },
  COLUMN_UNKNOWN: { exit: 2, retried: false },
  CURSOR_TYPE: { exit: 2, retried: false },
  REPEAT_REFUSED: { exit: 2, retried: false },
  LOAD_UNKNOWN: { exit: 2, retried: false },
  SOURCE_UNREACHABLE: { exit: 3, retried: true },
  SOURCE_AUTH: { exit: 3, retried: false },
  SOURCE_TLS: { exit: 3, retried: false },
  SOURCE_DATABASE: { exit: 3, retried: false },
  SOURCE_VERSION: { exit: 3, retried: false },
  SOURCE_GRANT: { exit: 3, retried: false },
  SOURCE_LOST: { exit: 1, retried: true },
  SOURCE_TIMEOUT: { exit: 1, retried: true },
  STANDBY_LAGGING: { exit: 1, retried: true },
  STANDBY_CONFLICT: { exit: 1, retried: true },
  SOURCE_FAILED: { exit: 1, retried: true },
  POOLER_MODE: { exit: 3, retried: false },
  KEY_MISSING: { exit: 3, retried: false },
  STATE_UNREACHABLE: { exit: 3, retried: true },
  STATE_AUTH: { exit: 3, retried: false },
  STATE_TLS: { exit: 3, retried: false },
  STATE_DATABASE: { exit: 3, retried: false },
  STATE_GRANT: { exit: 3, retried: false },
  STATE_NOT_MIGRATED: { exit: 3, retried: false },
  STATE_NEWER: { exit: 3, retried: false },
  STATE_READ_ONLY: { exit: 3, retried: false },
  STATE_FAILED: { exit: 1, retried: true },
  TARGET_UNREACHABLE: { exit: 3, retried: true },
  TARGET_AUTH: { exit: 3, retried: false },
  TARGET_TLS: { exit: 3, retried: false },
  TARGET_DATABASE: { exit: 3, retried: false },
  TARGET_GRANT: { exit: 3, retried: false },
  TARGET_TABLE: { exit: 3, retried: false },
  TARGET_NEWER: { exit: 3, retried: false },
  TARGET_READ_ONLY: { exit: 3, retried: false },
  TARGET_FAILED: { exit: 1, retried: true },
  LOAD_REJECTS: { exit: 1, retried: false },
  LAKE_UNREACHABLE: { exit: 3, retried: true },
  LAKE_DENIED: { exit: 3, retried: false },
  LAKE_BUCKET_MISSING: { exit: 3, retried: false },
  LAKE_FULL: { exit: 1, retried: true },
  LAKE_FAILED: { exit: 1, retried: true },
  LAKE_NOT_FOUND: { exit: 1, retried: false },
  LAKE_CHANGED: { exit: 1, retried: false },
  LAKE_KEY_TAKEN: { exit: 1, retried: false },
  UPLOAD_EXPIRED: { exit: 1, retried: true },
  MANIFEST_BROKEN: { exit: 1, retried: false },
  VALUE_UNFIT: { exit: 1, retried: false },
  SCHEMA_CHANGED: { exit: 1, retried: false },
  EXPECTATION_BROKEN: { exit: 1, retried: false },
  RECONCILE_MANY: { exit: 1, retried: false },
  RECONCILE_HISTORY: { exit: 1, retried: true },
  STAGED_UNSUPPORTED: { exit: 3, retried: false },
  STAGED_MISSING: { exit: 2, retried: false },
  STAGED_VERSION: { exit: 2, retried: false },
  STAGED_CONFLICT: { exit: 1, retried: true },
  STAGED_KEY: { exit: 1, retried: false },
  STAGED_BROKEN: { exit: 1, retried: false },
  SPOOL_FULL: { exit: 1, retried: false },
  SPOOL_FAILED: { exit: 3, retried: false },
  MEMORY_FULL: { exit: 1, retried: false },
  QUERY_INVALID: { exit: 2, retried: false },
  QUERY_FAILED: { exit: 1, retried: false },
  STATUS_TOKEN: { exit: 2, retried: false },
  STATUS_LISTEN: { exit: 3, retried: true },
  LEASE_HELD: { exit: 4, retried: true },
  CONNECTIONS_HELD: { exit: 4, retried: true },
  LEASE_LOST: { exit: 1, retried: true },
  INTERNAL: { exit: 1, retried: false },
} as const satisfies Record<string, Kind>;

export type ErrorCode = keyof typeof ERRORS;

/** Where it happened. Of a row only its key, never a secret; a message names a value only when that has no place in the lake, or is none that was expected. */
export type ErrorPlace = { table?: string; column?: string; key?: string };

export class TidemarkError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly place: ErrorPlace;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } & ErrorPlace = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TidemarkError';
    this.code = code;
    this.hint = options.hint;
    this.place = { table: options.table, column: options.column, key: options.key };
  }
}

/** The message with where it happened, `… (column v, key id=1)`; who shows it says of which table. */
export function messageWithPlace({
  message,
  column,
  key,
}: {
  message: string;
  column?: string | null;
  key?: string | null;
}): string {
  const place = [column && `column ${column}`, key && `key ${key}`].filter(Boolean);
  return place.length === 0 ? message : `${message} (${place.join(', ')})`;
}

/** Anything thrown; what is not ours is a defect of ours. */
export function toTidemarkError(error: unknown): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TidemarkError('INTERNAL', message || 'something unexpected happened', {
    cause: error,
    hint: 'a defect of tidemark: --log-level debug shows where; please report it',
  });
}
