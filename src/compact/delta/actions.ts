/** The actions of a Delta log, as this project reads and writes them (github.com/delta-io/delta, PROTOCOL.md). Pure data. */

export type Protocol = {
  minReaderVersion: number;
  minWriterVersion: number;
  readerFeatures?: string[];
  writerFeatures?: string[];
};

/** Delta's primitive types by their names in the log: `long`, `decimal(10,2)`, `timestamp_ntz` …; or an array of one. */
export type DeltaType = string | { type: 'array'; elementType: DeltaType; containsNull: boolean };

export type DeltaColumn = { name: string; type: DeltaType; nullable: boolean; metadata: Record<string, unknown> };

export type Metadata = {
  id: string;
  name?: string;
  description?: string;
  columns: DeltaColumn[];
  partitionColumns: string[];
  configuration: Record<string, string>;
  /** Milliseconds since 1970. */
  createdTime?: number;
};

/** Which rows of a data file are deleted. */
export type DeletionVectorRef = {
  /** `u`: a file named by a UUID beside the data; `i`: in the log itself; `p`: an absolute path. */
  storageType: 'u' | 'i' | 'p';
  pathOrInlineDv: string;
  offset?: number;
  sizeInBytes: number;
  /** How many rows it deletes. */
  cardinality: number;
};

/** A live data file. */
export type AddFile = {
  /** Relative to the table's folder, decoded (in the log it is URL-encoded). */
  path: string;
  partitionValues: Record<string, string | null>;
  /** Bytes. */
  size: number;
  /** Milliseconds since 1970. */
  modificationTime: number;
  /** False: the rows only moved (optimize). */
  dataChange: boolean;
  /** JSON text, kept as it was written: its numbers may be longer than a JavaScript number holds. Null: none. */
  stats: string | null;
  deletionVector: DeletionVectorRef | null;
  /** Other writers' notes on the file; kept, never read. */
  tags?: Record<string, string | null>;
};

/** A data file that is no longer live: readers of older versions may still need it. */
export type RemoveFile = {
  path: string;
  partitionValues: Record<string, string | null>;
  /** Bytes; 0 where its writer did not say. */
  size: number;
  /** Milliseconds since 1970. */
  deletionTimestamp: number;
  dataChange: boolean;
  deletionVector: DeletionVectorRef | null;
};

export type CommitInfo = {
  timestamp: number;
  operation: string;
  operationParameters: Record<string, string>;
  engineInfo: string;
  txnId: string;
  /** Counts, as strings: `numTargetRowsInserted` … */
  operationMetrics?: Record<string, string>;
  [more: string]: unknown;
};

/** What one commit does; the writer orders its lines. */
export type Commit = {
  info: { operation: string; operationParameters: Record<string, string>; operationMetrics?: Record<string, string> };
  protocol?: Protocol;
  metadata?: Metadata;
  txn?: { appId: string; version: bigint };
  remove: RemoveFile[];
  add: AddFile[];
};

/** A table at one version; never changed in place. `files` and `tombstones` are keyed by path and, where there is one, deletion vector (see fileKey). */
export type Snapshot = {
  version: number;
  /** Of the version's commit, milliseconds since 1970. */
  timestamp: number;
  /** Of the version's commit; null where its writer does not give it one, or the commit is there no more. */
  txnId: string | null;
  protocol: Protocol;
  metadata: Metadata;
  /** By appId. */
  txns: Map<string, bigint>;
  files: Map<string, AddFile>;
  tombstones: Map<string, RemoveFile>;
  /** How many tombstones are left out; missing: none. */
  tombstonesLeft?: number;
};

/** The key of a logical file: a path may be live with one deletion vector and tombstoned with another (PROTOCOL.md, "Action Reconciliation"). */
export function fileKey({ path, deletionVector }: Pick<AddFile, 'path' | 'deletionVector'>): string {
  if (!deletionVector) return path;
  const { storageType, pathOrInlineDv, offset } = deletionVector;
  return `${path}\n${storageType}${pathOrInlineDv}${offset === undefined ? '' : `@${offset}`}`;
}
