/** What doctor says of one thing that it looked at. */

import { TidemarkError } from '../model/error.ts';

export type Check = {
  /** Where it stands in the table for people. */
  group: 'configuration' | 'source' | 'tables' | 'state' | 'lake' | 'machine';
  check: string;
  state: 'ok' | 'warn' | 'fail';
  /** What was found, in a few words. */
  found: string;
  /** What mends it: a statement, a setting. */
  remedy?: string;
  table?: string;
};

/** A failed check from what was thrown; `fallback` completes it where the error has no hint. */
export function failed(group: Check['group'], check: string, error: unknown): Check {
  if (error instanceof TidemarkError) {
    return {
      group,
      check,
      state: 'fail',
      found: `${error.code}: ${error.message}`,
      remedy: error.hint,
      table: error.place.table,
    };
  }
  return { group, check, state: 'fail', found: error instanceof Error ? error.message : String(error) };
}
