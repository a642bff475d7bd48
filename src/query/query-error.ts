/** What DuckDB says of the user's SQL, as an error with the place in the statement. Pure. */

import { TidemarkError } from '../model/error.ts';

type Said = { exception_type?: string; exception_message?: string; position?: string };

/** `error`: thrown with errors_as_json on. What is not about the statement is left as it is. */
export function queryInvalid(error: unknown, sql: string): unknown {
  if (error instanceof TidemarkError) return error;
  const said = parse(error instanceof Error ? error.message : String(error));
  if (said === null) return new TidemarkError('QUERY_INVALID', 'there is no statement', { cause: error });
  const { exception_type: type, exception_message: message = '', position } = said;
  if (type === 'Out of Memory' || type === 'INTERNAL') return new Error(`${type} Error: ${message}`, { cause: error });
  const [first, ...more] = message.split('\n');
  return new TidemarkError('QUERY_INVALID', first + placeOf(sql, position), {
    hint: hintOf(more),
    cause: error,
  });
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
