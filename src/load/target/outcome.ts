/** What goes into the target and what comes back. Pure data. */

import type { Drop, DropCounts, ParsedDrop, ReadDrop } from '../drop.ts';

/** A drop that is ours to load, until our process dies or gives it back. */
export type Claimed = Drop & {
  /** The call that claimed it: whoever claims the drop after us has another, and then we commit nothing of it. */
  claim: string;
  /** It was loaded before, with other content. */
  overwritten: boolean;
  /** From 1. */
  attempt: number;
};

/** `rowsOut`: rows that went into the target or were there; `known`: those of them that were there already. */
export type LoadedCounts = DropCounts & { known: number };

export type DropOutcome = {
  key: string;
  bytes: number;
  overwritten: boolean;
  counts: LoadedCounts;
  /** Of a local drop that is loaded: a hash of its bytes. */
  content?: string;
  /** It has the content that was loaded before. */
  touched?: boolean;
} & (
  | { state: 'loaded' }
  /** `reason` for people. */
  | { state: 'dead'; reason: string }
  /** Vanished between listing and reading. */
  | { state: 'gone' }
  /** Another process took the claim over: it loads the drop, or has. */
  | { state: 'lost' }
);

/** In the order of the batch. */
export type BatchOutcome = { drops: DropOutcome[] };

/** A drop of a batch. `number` is what `read.rows` begin with; it orders the drops of a batch. */
export type BatchDrop = { drop: Claimed; number: number; read: ReadDrop };

/** The text of some lines of a drop, for rows that the target refuses. A line that is not to be had is left out. */
export type Originals = (drop: Claimed, lines: number[]) => Promise<Map<number, string>>;

/** A reject that waits in the target; `id` orders them. */
export type StoredReject = { id: string; key: string; etag: string; line: number; text: string };

/**
 * A page of stored rejects that was parsed again as one drop: line n of `read` is `rejects[n - 1]`, the drop's number is 0.
 */
export type ReplayBatch = { rejects: StoredReject[]; read: ParsedDrop };

export type ReplayOutcome = { rowsOut: number; known: number; filtered: number; rejected: number };

/** Why loading waits; null: it does not. For people. */
export type Waiting = string | null;
