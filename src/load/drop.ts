/** Drops and what becomes of them on their way. Pure data. */

/** An inbound file as it was listed. */
export type Drop = {
  /** For S3 the key in its bucket, for a folder the path below the part of `from` without a pattern. */
  key: string;
  bytes: number;
  /** Tells one content from another: S3's ETag; for a local file its size, time and a hash. */
  etag: string;
};

/** A row that is not loaded; `text` is its line as it was, cut to the line limit. */
export type Reject = {
  /** From 1, in the unpacked drop. */
  line: number;
  reason: string;
  /** The column that it is about; null: the whole row. */
  column: string | null;
  text: string;
};

export type DropCounts = { rowsIn: number; rowsOut: number; filtered: number; rejected: number };

/**
 * A drop that was read. `rows`: text for COPY, a line a row: the drop's number in its batch, the line's number, then the columns in the
 * order of the settings.
 */
export type ParsedDrop = {
  state: 'parsed';
  rows: Buffer;
  counts: DropCounts;
  rejects: Reject[];
  /** Of a local drop, whose size and time alone do not tell another content: a hash of its packed bytes. */
  content?: string;
};

/** A drop that cannot be read at all: broken gzip, a broken JSON array, beyond a limit. */
export type DeadDrop = { state: 'dead'; reason: string };

export type ReadDrop = ParsedDrop | DeadDrop | { state: 'gone' };
