/** One way of doing work of a kind: how much of it at once, and how it is done. */

import type { Due, Outcome } from './agenda.ts';
import type { WorkKind } from './board.ts';
import type { Service } from './services.ts';

/** What came of a piece of work, for page and log; `run` null where it has no number. */
export type Figures = {
  run: string | null;
  rows: number;
  lateRows: number;
  bytes: number;
  seconds: number;
  /** Why there was nothing to do, for who asked for it. */
  reason?: string;
  /** What the log says besides. */
  fields?: Record<string, unknown>;
};

export const NO_FIGURES: Figures = { run: null, rows: 0, lateRows: 0, bytes: 0, seconds: 0 };

export type Tell = {
  /** So far, in all. */
  advanced(name: string, rows: number, bytes: number): void;
  ended(name: string, outcome: Outcome, figures: Figures): void;
};

export type Lane = {
  kind: WorkKind;
  /** Nothing is begun while one of these is away. */
  needs: readonly Service[];
  /** Batches at once, and pieces of work in a batch. */
  batches: () => number;
  most: number;
  /** Leaves out what is not for this lane. */
  takes?: (work: Due) => boolean;
  /** Does it, and tells the end of each; what is not told stays due. Throws what concerns all that was not told. */
  run(works: Due[], tell: Tell, signal: AbortSignal): Promise<void>;
};
