/** A result for people: at most a screenful or two, and how much more there is. */

import type { DuckDBDataChunk } from '@duckdb/node-api';
import { formatCount } from '../model/format.ts';
import { eachChunk, type Result } from './result.ts';
import { tableLines } from './table-text.ts';
import { isNumber, plainText } from './value-text.ts';

const SHOWN = 100;

export type Table = { head: string; lines: string[]; foot: string };

/** Runs the statement to its end: the count of rows is all of them. `width`: of the terminal, null when there is none. */
export async function readTable(result: Result, width: number | null, signal: AbortSignal): Promise<Table> {
  const { columns, from } = result;
  const cells = columns.map(({ type }, i) => plainText(type, `c${i}`));
  const rows: (string | null)[][] = [];
  let count = 0;
  const pass = async (chunk: DuckDBDataChunk) => {
    count += chunk.rowCount;
    if (rows.length < SHOWN) rows.push(...(chunk.getRows() as (string | null)[][]).slice(0, SHOWN - rows.length));
    return true;
  };
  await eachChunk(result, `SELECT ${cells.join(', ')} FROM ${from}`, pass, signal);
  const shown = columns.map(({ name, type }) => ({ name, right: isNumber(type) }));
  const [head, ...lines] = tableLines(shown, rows, width);
  const more = count - rows.length;
  const foot =
    more > 0
      ? `… ${formatCount(more)} more ${more === 1 ? 'row' : 'rows'}`
      : `(${count === 1 ? '1 row' : `${formatCount(count)} rows`})`;
  return { head, lines, foot };
}
