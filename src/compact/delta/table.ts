/** What the log's readers and writers are given. Knows nothing of what the table holds. */

import type { Lake } from '../../lake/lake.ts';
import { TidemarkError } from '../../model/error.ts';

/** Turns checkpoints into lines of the log and back: the only part of a log that is Parquet. */
export type Checkpoints = {
  /** The lines of a checkpoint, of all its parts. Throws STAGED_BROKEN for files that are none, STAGED_UNSUPPORTED for V2 checkpoints. */
  read(parts: Buffer[], signal: AbortSignal): Promise<string[]>;
  /** The lines as one checkpoint file. */
  write(lines: Iterable<string>, signal: AbortSignal): Promise<Buffer>;
};

export type DeltaTable = {
  lake: Lake;
  /** The table's folder as a key of the lake, without a slash at its end: `staged/invoice`. */
  root: string;
  checkpoints: Checkpoints;
};

/** STAGED_BROKEN: what the log says cannot be, or what it needs is not there. */
export function brokenLog(root: string, what: string, cause?: unknown): TidemarkError {
  return new TidemarkError('STAGED_BROKEN', `the log of ${root} cannot be read: ${what}`, {
    hint: 'tidemark compact --rebuild makes the staged table anew from the raw files',
    cause,
  });
}

export function isCode(error: unknown, ...codes: TidemarkError['code'][]): boolean {
  return error instanceof TidemarkError && codes.includes(error.code);
}
