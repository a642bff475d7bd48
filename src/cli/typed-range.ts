/** `--since` and `--until`. Pure. */

import { TidemarkError } from '../model/error.ts';
import type { Bound, Range } from '../model/range.ts';
import { parseTime } from './typed-time.ts';

/** Null: neither was given. Throws USAGE. */
export function parseRange({ since, until }: { since?: string; until?: string }): Range | null {
  if (since === undefined) {
    if (until === undefined) return null;
    throw new TidemarkError('USAGE', '--until goes with --since', { hint: 'export --since A --until B --table T' });
  }
  const range = {
    since: parseBound(since, '--since'),
    until: until === undefined ? null : parseBound(until, '--until'),
  };
  if (range.until === null) return range;
  if (range.since.kind === range.until.kind && range.since.at < range.until.at) return range;
  throw new TidemarkError('USAGE', `nothing lies between --since ${since} and --until ${until}`, {
    hint: '--until comes after --since; what lies at --until itself is not repeated',
  });
}

/** Digits alone are a number, for cursor columns that count. */
function parseBound(typed: string, option: string): Bound {
  if (/^-?\d{1,19}$/.test(typed)) return { typed, kind: 'number', at: BigInt(typed) };
  return {
    typed,
    kind: 'instant',
    at: parseTime(typed, option),
    zoned: /\d\d:\d\d.*(?:Z|[+-]\d\d(?::?\d\d)?)$/.test(typed),
  };
}
