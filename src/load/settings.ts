/** What the configuration says of a load, as the program sees it. Pure data; sizes in bytes, times in milliseconds. */

import type { S3Settings } from '../lake/settings.ts';
import type { TableName } from '../model/table.ts';
import type { DatabaseConfig } from '../postgres/connect-options.ts';

export type DropFormat = 'jsonl' | 'json' | 'csv' | 'parquet';

/** A value as JSON or the configuration writes it. */
export type Scalar = string | number | boolean | null;

export type LoadColumn = {
  /** In the target table. */
  name: string;
  /** The Postgres type, as the configuration writes it. */
  type: string;
  /** Where its value stands in a row: the names on the way, `['user', 'id']` for `$.user.id`. In CSV and Parquet one name. */
  path: (string | number)[];
  required: boolean;
  /** Where the row has no value; undefined: NULL. */
  default: Scalar | undefined;
};

export type Comparison = { gt?: Scalar; gte?: Scalar; lt?: Scalar; lte?: Scalar; in?: Scalar[]; not?: Scalar[] };

/** A row is kept when all of these hold; by the column's name, or a path into the row. */
export type Keep = { path: (string | number)[]; is: Comparison }[];

/** Beyond any of these a load sends the target fewer batches at once. */
export type Budget = {
  /** A batch takes so many times as long as the best ones. */
  slower: number;
  /** How far a standby of the target is behind. */
  lagMs: number;
  /** Sessions of the target that wait for locks. */
  lockWaits: number;
};

export type LoadSettings = {
  name: string;
  /** As written: `s3://bucket/prefix/{yyyy}-{mm}-{dd}/*.json.gz` or `file:./drops/**`. */
  from: string;
  /** What a relative `file:` is relative to. */
  baseDir: string;
  s3: S3Settings;
  /** How far back the days of a date pattern go; null: one day. */
  windowMs: number | null;
  timezone: string;
  /** Keys grow with time: drops that sort before one that was done so long ago are not listed; null: all are. */
  afterMs: number | null;
  into: TableName;
  target: DatabaseConfig;
  key: string[];
  columns: LoadColumn[];
  keep: Keep;
  /** Absolute path of a module; null: none. */
  transform: string | null;
  onConflict: 'nothing' | 'update';
  /** Null: by each drop's suffix. */
  format: DropFormat | null;
  limits: { lineBytes: number; inflatedBytes: number; ratio: number };
  /** Part of the rows, 0 to 1, beyond which a load stops; null: never. */
  rejectLimit: number | null;
  /** How much the target may feel of it. */
  budget: Budget;
  /** When the daemon runs it, as written; absent: as the configuration says of all loads. */
  schedule?: string;
  /** The most loading sessions in the target, over all processes and machines. */
  connections: number;
  /** The schema of ledger and rejects in the target database. */
  ledgerSchema: string;
};
