/** Errors for people and for programs. Invariant: every error a user meets has a code, and no output holds a password. */

import { redact } from '../config/redact.ts';
import { ERRORS, type ErrorCode, type TidemarkError } from '../model/error.ts';
import type { Output } from './output.ts';

export type ErrorParts = {
  code: ErrorCode;
  message: string;
  hint: string | null;
  table: string | null;
  column: string | null;
  key: string | null;
  docs: string;
};

/** What `--json` shows of an error; field names are part of the interface. */
export function errorParts(error: TidemarkError, secrets: readonly string[]): ErrorParts {
  const { table, column, key } = error.place;
  const clean = (text: string | undefined) => (text === undefined ? null : redact(oneLine(text), secrets));
  return {
    code: error.code,
    message: clean(error.message)!,
    hint: clean(error.hint),
    table: clean(table),
    column: clean(column),
    key: clean(key),
    docs: `docs/errors.md#${error.code.toLowerCase()}`,
  };
}

/** `CODE: what happened (table, column, key)`, the hint, the page; without a newline at the end. */
export function errorText(error: TidemarkError, secrets: readonly string[]): string {
  const { code, message, hint, table, column, key, docs } = errorParts(error, secrets);
  const place = [table && `table ${table}`, column && `column ${column}`, key && `key ${key}`].filter(Boolean);
  // Most messages name their table already.
  const where =
    place.length === 0 || (place.length === 1 && table && message.includes(table)) ? '' : ` (${place.join(', ')})`;
  return [`${code}: ${message}${where}`, hint && `hint: ${hint}`, `docs: ${docs}`].filter(Boolean).join('\n');
}

/** The errors of a command's tables, each after an empty line. */
export function printErrors(
  results: readonly ({ state: string } | { state: 'failed'; error: TidemarkError })[],
  out: Output,
  secrets: readonly string[],
): void {
  for (const result of results) {
    if (!('error' in result)) continue;
    out.line();
    for (const line of errorText(result.error, secrets).split('\n')) out.line(line);
  }
}

export function exitCodeOf(error: TidemarkError): number {
  return ERRORS[error.code].exit;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ');
}
