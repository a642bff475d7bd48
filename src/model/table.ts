/** What a table is called and how it is to be exported. Pure data; names are exact catalog names, never quoted or folded. */

import type { Expectations } from './expectations.ts';
import type { Policy } from './lake-type.ts';

/** A source table by its exact catalog names. */
export type TableName = { schema: string; table: string };

/** `schema.table` for people: logs, errors, `--table` (quoted as in SQL where a part is odd). */
export function displayName({ schema, table }: TableName): string {
  return `${quoteName(schema)}.${quoteName(table)}`;
}

/** As it is typed in SQL: in quotes where it is odd. */
export function quoteName(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** What the configuration says of one column; `type` is a lake type as written by the user. */
export type ColumnConfig = { type?: string; on_unfit?: Policy };

/**
 * When the daemon works on a table: cron expressions, `@every 30s`, or `off`. `compactAfter`: a compaction follows an export once so many
 * rows wait, or the oldest of them has waited for so many milliseconds; null: not for that.
 */
export type TableSchedule = {
  export: string;
  compact: string;
  compactAfter: { rows: number | null; ms: number | null };
  vacuum: string;
  reconcile: string;
};

/** One table's settings after patterns and defaults were applied; sizes in bytes, times in milliseconds. */
export type TableSettings = {
  name: TableName;
  /** Folder under raw/ and staged/. Unique in a configuration. */
  folder: string;
  /** Key columns; `default` is the primary key, `none` means that the user accepts a table without one. */
  key: string[] | 'default' | 'none';
  /** The cursor column; `default` is `updated_at` if there is one, else `none`, which scans. */
  cursor: { column: string } | 'default' | 'none';
  exclude: string[];
  columns: Record<string, ColumnConfig>;
  /** A condition over the row alone, as SQL text. */
  where: string | null;
  /** Least cursor value of the first export, as the user wrote it. */
  start: string | null;
  /** Zone of the writers of zoneless cursors (IANA name); null: unknown. */
  timezone: string | null;
  /** How far back the floor goes when the activity of others is hidden. */
  lateMs: number;
  /** How far the server's clock may step back. */
  marginMs: number;
  fileBytes: number;
  /** What a run reads whole goes in chunks of about this size where it is larger. */
  chunkBytes: number;
  /** Connections that read the table at once, where it is read whole and so many are free. */
  readers: number;
  compression: 'zstd' | 'gzip' | 'none';
  leaseMs: number;
  /** How changes get into the staged table: files that hold changed rows are written anew, or the rows are marked in deletion vectors. */
  merge: 'rewrite' | 'vectors';
  expect?: Expectations;
  /** Where it differs from the configuration's. */
  schedule?: Partial<TableSchedule>;
};
