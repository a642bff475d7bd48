/** A result as lines of text: CSV and JSON. Invariant: rows are printed by DuckDB and passed on as they come, never all in memory. */

import type { DuckDBType } from '@duckdb/node-api';
import { text } from '../duckdb/literal.ts';
import { eachChunk, type Result } from './result.ts';
import { isPlain, jsonText, plainText } from './value-text.ts';

/** Takes text or bytes; false: nobody reads them any more. Resolves when there is room for more. */
export type Write = (chunk: string | Uint8Array) => Promise<boolean>;

/** RFC 4180 but for the end of a line, which is a newline. NULL is empty, the empty text `""`. */
export async function writeCsv(result: Result, write: Write, signal: AbortSignal): Promise<void> {
  const { columns, from } = result;
  const cells = columns.map(({ type }, i) => csvCell(type, `c${i}`));
  if (!(await write(`${columns.map(({ name }) => csvText(name)).join(',')}\n`))) return;
  const lines = `SELECT concat_ws(',', ${cells.join(', ')}) FROM ${from}`;
  await eachChunk(result, lines, (chunk) => write(`${chunk.getColumnValues(0).join('\n')}\n`), signal);
}

function csvText(name: string): string {
  return /[",\r\n]/.test(name) || name === '' ? `"${name.replaceAll('"', '""')}"` : name;
}

function csvCell(type: DuckDBType, value: string): string {
  const printed = plainText(type, value);
  if (isPlain(type)) return `coalesce(${printed}, '')`;
  const quoted = `'"' || replace(${printed}, '"', '""') || '"'`;
  return `CASE WHEN ${value} IS NULL THEN '' WHEN regexp_matches(${printed}, '[",\\r\\n]|^$') THEN ${quoted} ELSE ${printed} END`;
}

/** An array of objects, a row a line. */
export async function writeJson(result: Result, write: Write, signal: AbortSignal): Promise<void> {
  const { columns, from } = result;
  const names = uniqueNames(columns.map(({ name }) => name));
  const members = columns.map(
    ({ type }, i) =>
      `${text(`${i > 0 ? ', ' : ''}${JSON.stringify(names[i])}: `)}, coalesce(${jsonText(type, `c${i}`)}, 'null')`,
  );
  const lines = `SELECT concat('{', ${members.join(', ')}, '}') FROM ${from}`;
  let before = '[\n  ';
  const passed = await eachChunk(
    result,
    lines,
    (chunk) => {
      const text = before + chunk.getColumnValues(0).join(',\n  ');
      before = ',\n  ';
      return write(text);
    },
    signal,
  );
  if (passed) await write(before.startsWith('[') ? '[]\n' : '\n]\n');
}

/** Two columns of one name: the second is `name_2`. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let n = 2; taken.has(unique.toLowerCase()); n++) unique = `${name}_${n}`;
    taken.add(unique.toLowerCase());
    return unique;
  });
}
