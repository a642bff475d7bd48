/** Where drops come from. Invariant: what the parser reads of a drop is all of what was listed, or the drop counts as gone. */

import type { Drop } from './drop.ts';

/** A drop's packed bytes; whoever parses takes them over. */
export type DropInput = { bytes: Uint8Array<ArrayBuffer> } | { path: string };

/** The key after which the listing of a prefix begins; null: at its start. */
export type ListStart = (prefix: string) => Promise<string | null>;

export type DropSource = AsyncDisposable & {
  /** For people: the folder or bucket. */
  readonly url: string;
  /** Those of the days that a date pattern means, in the order of their names within a day; never all in memory. */
  list(days: string[], signal: AbortSignal, start?: ListStart): AsyncIterable<Drop>;
  /** Hands the drop's bytes to `parse`. `gone`: it was removed or written anew since it was listed. Throws LAKE_*. */
  read<T>(drop: Drop, parse: (input: DropInput) => Promise<T>, signal: AbortSignal): Promise<T | 'gone'>;
};
