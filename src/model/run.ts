/** Runs and the raw files that they write. Invariant: rawKey is the only place that builds a raw key. */

import type { LakeType } from './lake-type.ts';
import type { LeafRule, Mark } from './mark.ts';

/** Least and greatest value of a column in a file, as text that compares and prints exactly; bounds may be wider than the values. */
export type Bounds = { min: string; max: string };

/** A file whose bytes are all uploaded and durable, but invisible until its upload is completed. */
export type PreparedFile = {
  key: string;
  bytes: number;
  /** What the lake needs to complete or abort the upload, in another process too: plain JSON. */
  upload: UploadRef;
};

/** Plain JSON. `id` is S3's upload id, or the temporary file's path below the lake's root. */
export type UploadRef = { id: string; parts: { number: number; etag: string; crc32?: string; bytes: number }[] };

export type RawFile = PreparedFile & {
  /** 0, 1, 2 … within the run. */
  part: number;
  rows: number;
  /** Bounds of the key and cursor columns, by their name in the lake. */
  bounds: Record<string, Bounds>;
};

/** Counts of values without a place in the lake's type, by column and by what was done with them. */
export type UnfitCounts = Record<string, { null?: number; text?: number }>;

/** Keys that Postgres takes for equal though their text differs: `case` (citext), or `number` (1.0 and 1.00, exported as text). */
export type KeyEquality = 'case' | 'number';

/** A column as the last run wrote it; plain JSON, kept in the state store to notice changes and to tell rows apart. */
export type WrittenColumn = {
  source: string;
  name: string;
  type: LakeType;
  /** Its place in the key, from 1; absent: it is no part of the key. */
  key?: number;
  /** Only beside `key`; absent: equal keys are identical. */
  equality?: KeyEquality;
};

/** The key's columns in its order; empty: the table has none, or no run has noted it yet. */
export function keyOf(columns: readonly WrittenColumn[]): WrittenColumn[] {
  return columns.filter(({ key }) => key !== undefined).sort((a, b) => a.key! - b.key!);
}

/** A range of the cursor that a run repeats, its bounds as they were typed: from `since` up to, but not including, `until`. */
export type Repeats = { cursor: string; since: string; until: string | null };

/** An expectation that rows of a run broke. `column`: in the source; `count`: of rows (closed: 1); `key`, `value`: of one of them. */
export type Broken = {
  column: string;
  rule: 'not_null' | 'accepted' | 'closed';
  count: number;
  key: string | null;
  value: string | null;
};

/** What a run leaves in the state store once all its bytes are uploaded. */
export type Prepared = {
  files: RawFile[];
  mark: Mark;
  rows: bigint;
  lateRows: bigint;
  unfit: UnfitCounts;
  columns: WrittenColumn[];
  /** Absent: nothing was. */
  broken?: Broken[];
};

/** How what a run reads whole goes in chunks, each a transaction of its own; plain JSON. */
export type ChunkPlan = {
  /** The block of each leaf at which each chunk begins; it goes up to the next one's, the last to the end. */
  starts: number[];
  /** The table's oid. */
  table: number;
  /** The table's columns as describe.ts lists them. */
  columnList: string;
  /** What else must be the same for an attempt to go on where another ended, as text. */
  reads: string;
};

/** A chunk that is uploaded whole. */
export type NotedChunk = {
  /** From 0. */
  chunk: number;
  rows: bigint;
  watermark: string | null;
  unfit: UnfitCounts;
  broken?: Broken[];
  files: RawFile[];
  /** Leaves of the mark, by oid, that the table did not have any more. */
  gone: number[];
};

/** How a run in chunks reads the leaves that it does not bring whole: in one more chunk, by the mark of the run before. Oids. */
export type ChunkRest = { since: Mark; leaves: { oid: number; rule: Exclude<LeafRule, 'all'> }[] };

/**
 * A run in chunks as it was planned, with the mark that it will leave; once rows came, with their watermark. `rest`: large
 * partitions are new, all others bring what changed; absent: a full run.
 */
export type ChunkedRun = { plan: ChunkPlan; mark: Mark; columns: WrittenColumn[]; rest?: ChunkRest };

/** What a dead process left of it. */
export type UnfinishedChunks = ChunkedRun & { noted: NotedChunk[] };

export type Run =
  | {
      state: 'planned';
      run: bigint;
      prefix: string;
      token: bigint;
      /** Only of a run in chunks, which can be gone on with. */
      chunked?: UnfinishedChunks;
    }
  | { state: 'prepared'; run: bigint; prefix: string; token: bigint; prepared: Prepared };

/** Where a run's raw files go: `raw/<folder>/load_date=<date>/run-<run>-<store>-`. `store` is the state store's id (a uuid). */
export function rawPrefix(folder: string, loadDate: string, store: string, run: bigint): string {
  // The store's id keeps two state stores that write into one lake from taking each other's files for leftovers of their own.
  const id = store.replaceAll('-', '').slice(0, 12);
  return `raw/${folder}/load_date=${loadDate}/run-${String(run).padStart(12, '0')}-${id}-`;
}

/** The key of a run's raw file; `part` counts from 0. */
export function rawKey(prefix: string, part: number): string {
  return `${prefix}${String(part).padStart(5, '0')}.parquet`;
}
