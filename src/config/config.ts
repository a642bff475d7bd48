/** The configuration as the program sees it. Invariant: sizes are bytes, times milliseconds, every `${NAME}` is filled in. */

import type { LakeConfig } from '../lake/settings.ts';
import type { LoadSettings } from '../load/settings.ts';
import type { ColumnConfig, TableSchedule } from '../model/table.ts';
import type { DatabaseConfig } from '../postgres/connect-options.ts';

export type Defaults = {
  lateMs: number;
  marginMs: number;
  fileBytes: number;
  chunkBytes: number;
  readers: number;
  compression: 'zstd' | 'gzip' | 'none';
  leaseMs: number;
  retentionMs: number;
  merge: 'rewrite' | 'vectors';
};

/** As written; what is not said is undefined. */
export type TableScheduleEntry = {
  export?: string;
  compact?: string;
  compact_after?: { rows?: number; time?: number };
  vacuum?: string;
  reconcile?: string;
};

/** One entry of `tables:`; what it does not say is undefined. */
export type TableEntry = {
  /** A table or a pattern, as written. */
  table: string;
  skip?: boolean;
  key?: string[] | 'none';
  /** A column, or `none`. */
  cursor?: string;
  as?: string;
  exclude?: string[];
  columns?: Record<string, ColumnConfig>;
  where?: string;
  start?: string;
  timezone?: string;
  late?: number;
  margin?: number;
  file_size?: number;
  readers?: number;
  compression?: 'zstd' | 'gzip' | 'none';
  lease?: number;
  merge?: 'rewrite' | 'vectors';
  schedule?: TableScheduleEntry;
  expect?: {
    columns?: 'open' | 'closed';
    not_null?: string[];
    accepted?: Record<string, (string | number | boolean)[]>;
    on_break?: 'stop' | 'report';
  };
};

export type Config = {
  /** The file's absolute path, and its folder: what relative paths are relative to. */
  file: string;
  baseDir: string;
  /** `primary`: the URL of the source's primary; null: the source is one, or its primary cannot be asked. */
  source: DatabaseConfig & { connections: number; statementTimeoutMs: number; primary: string | null };
  /** `isSource`: it lives in the source's database, whose connections it shares. */
  state: DatabaseConfig & { schema: string; isSource: boolean };
  lake: LakeConfig;
  /** `limitBytes`: the most that may lie there. */
  spool: { path: string; limitBytes: number };
  /** What DuckDB may use; the process takes some 100 MB more. */
  memoryIsFixed: boolean;
  memoryBytes: number;
  defaults: Defaults;
  /** In the order of the file; `public.*` when the file has none. */
  tables: TableEntry[];
  loads: LoadSettings[];
  /** What holds for tables and loads that say nothing else; expressions as written, `off` among them. */
  schedule: TableSchedule & {
    timezone: string;
    load: string;
  };
  /** Of the daemon's status page. `port` 0: any that is free. `token` null: none is set. */
  status: { host: string; port: number; token: string | null };
};
