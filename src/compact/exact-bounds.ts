/**
 * The range of a file's first key column, in the tags of its `add` where the log's statistics are wider: milliseconds, the first 32 characters.
 * Invariant: no value of the file lies outside. Without it, files that follow one another would seem to overlap for ever.
 */

import { ident } from '../duckdb/literal.ts';
import type { AddFile, DeltaColumn } from './delta/actions.ts';
import type { WrittenFile } from './delta/file-statistics.ts';
import type { Statistics } from './delta/statistics.ts';

const LEAST = 'tidemark.least';
const GREATEST = 'tidemark.greatest';
const WIDENED = ['string', 'timestamp', 'timestamp_ntz'];

/** Pure. Values as DuckDB prints them; undefined where the statistics say all there is to say. */
export function boundTags(columns: DeltaColumn[], key: string[], file: WrittenFile): AddFile['tags'] {
  const column = columns.find(({ name }) => name === key[0]);
  if (!column || typeof column.type !== 'string' || !WIDENED.includes(column.type)) return undefined;
  const facts = file.column_statistics.find(({ key: name }) => name === ident(column.name))?.value ?? [];
  const [least, greatest] = ['min', 'max'].map((side) => facts.find(({ key: name }) => name === side)?.value);
  return least === undefined || greatest === undefined ? undefined : { [LEAST]: least, [GREATEST]: greatest };
}

/** The statistics with the tags' bounds in the place of their own. Pure. */
export function withExactBounds(statistics: Statistics | null, key: string[], { tags }: AddFile): Statistics | null {
  const [least, greatest] = [tags?.[LEAST], tags?.[GREATEST]];
  if (!statistics || least == null || greatest == null || key.length === 0) return statistics;
  return {
    ...statistics,
    min: new Map(statistics.min).set(key[0], least),
    max: new Map(statistics.max).set(key[0], greatest),
  };
}
