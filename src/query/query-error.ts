/** What DuckDB says of the user's SQL, as an error with the place in the statement. Pure. */

import { TidemarkError } from '../model/error.ts';
import { type NamedTable, parseName } from './names.ts';

type Said = {
  exception_type?: string;
  exception_message?: string;
  position?: string;
  error_subtype?: string;
  type?: string;
  name?: string;
};

/** `error`: thrown with errors_as_json on. What is not about the statement is left as it is. */
export function queryInvalid(error: unknown, sql: string): unknown {
  if (error instanceof TidemarkError) return error;
  const said = parse(error instanceof Error ? error.message : String(error));
  if (said === null) return new TidemarkError('QUERY_INVALID', 'there is no statement', { cause: error });
  const { exception_type: type, exception_message: message = '', position } = said;
  if (type === 'Out of Memory' || type === 'INTERNAL') return new Error(`${type} Error: ${message}`, { cause: error });
  if (type === 'Permission') {
    return new TidemarkError('QUERY_INVALID', `the statement reads what is no table of the lake: ${message}`, {
      hint: '`query` reads staged tables by their folder, and raw.<folder>',
      cause: error,
    });
  }
  const [first, ...more] = message.split('\n');
  return new TidemarkError('QUERY_INVALID', first + placeOf(sql, position), {
    hint: hintOf(more),
    cause: error,
  });
}

/** For what fails before a row was read, such as 'x'::int: the statement itself is at fault. */
export function blameStatement(error: unknown): never {
  if (!(error instanceof TidemarkError) || error.code !== 'QUERY_FAILED') throw error;
  throw new TidemarkError('QUERY_INVALID', error.message, { cause: error });
}

/** The table that the statement names and DuckDB has not; null when the error is another one. `error`: as for queryInvalid(). */
export function missingTable(error: unknown, sql: string): NamedTable | null {
  const said = error instanceof Error ? parse(error.message) : null;
  if (said?.error_subtype !== 'MISSING_ENTRY' || said.type !== 'Table' || said.name === undefined) return null;
  const at = said.position === undefined ? '' : Buffer.from(sql).subarray(Number(said.position)).toString();
  const named = parseName(at);
  // Elsewhere than in FROM the place is that of a function, say query_table('invoice').
  if (named?.name.toLowerCase() === said.name.toLowerCase()) return named;
  return /^\s*[\w"]+\s*\./.test(at) ? null : { kind: 'staged', name: said.name };
}

/** The JSON object in DuckDB's message, which may stand behind its kind. */
function parse(message: string): Said | null {
  try {
    return JSON.parse(message.slice(message.indexOf('{')));
  } catch {
    return null;
  }
}

const SHOWN = 30;

/** ` (line 2, column 8, at "foo FROM t")`. `position` counts bytes. */
function placeOf(sql: string, position: string | undefined): string {
  if (position === undefined) return '';
  const bytes = Buffer.from(sql);
  const before = bytes.subarray(0, Number(position)).toString();
  const rest = bytes.subarray(Number(position)).toString().split('\n', 1)[0];
  const line = before.split('\n').length;
  const column = [...before.slice(before.lastIndexOf('\n') + 1)].length + 1;
  const at = rest === '' ? 'at the end' : `at "${[...rest].slice(0, SHOWN).join('')}"`;
  return ` (line ${line}, column ${column}, ${at})`;
}

function hintOf(lines: string[]): string | undefined {
  const text = lines
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('LINE '))
    .slice(0, 8)
    .join(' ');
  return text === '' ? undefined : text;
}
