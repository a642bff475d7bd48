/** The exit code of a command over several tables. Pure. */

import { ERRORS, type TidemarkError } from '../model/error.ts';

export type Outcome = { state: string } | { state: 'failed'; error: TidemarkError };

/**
 * 4: every table is held; 2 or 3: every one failed for such a reason and nothing was touched; 1: some failed; else 0.
 * `named`: by --table. With --all a paused table is as good as none: somebody wants it so.
 */
export function exitCodeOfTables(all: readonly Outcome[], named = true): number {
  const results = named ? all : all.filter((result) => !('pausedSince' in result));
  if (results.length > 0 && results.every(({ state }) => state === 'held')) return 4;
  const exits = results.flatMap((result) => ('error' in result ? [ERRORS[result.error.code].exit] : []));
  if (exits.length === 0) return 0;
  const same = exits.length === results.length && exits.every((exit) => exit === exits[0]);
  return same ? exits[0] : 1;
}
