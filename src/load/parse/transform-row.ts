/** A user's transform: loaded once a worker, its rows brought back to JSON so that one path checks every row. */

import { pathToFileURL } from 'node:url';
import { TidemarkError } from '../../model/error.ts';
import type { LoadSettings } from '../settings.ts';
import type { Transform, TransformContext, Value } from '../transform.ts';
import { decimalOf } from './types/decimal.ts';

export type RowTransform = {
  /** A row's JSON as what the transform gets. */
  parse(text: string): Record<string, unknown>;
  /** The rows that a row becomes, as JSON; a text: why it is a reject. */
  rows(row: () => Record<string, unknown>, context: TransformContext): Buffer[] | string;
};

/** Throws CONFIG_INVALID: no such file, it does not load, it has no such function. */
export async function loadTransform(settings: LoadSettings): Promise<RowTransform | null> {
  const { transform: path } = settings;
  if (path === null) return null;
  let module: { default?: unknown; transform?: unknown };
  try {
    module = await import(pathToFileURL(path).href);
  } catch (error) {
    throw refused(settings, `cannot be loaded: ${error instanceof Error ? error.message : error}`, error);
  }
  const transform = module.transform ?? module.default;
  if (typeof transform !== 'function')
    throw refused(settings, 'exports no function `transform`, nor one as its default');
  if (transform.constructor.name === 'AsyncFunction')
    throw refused(settings, 'is async: it must return its rows at once');
  return { parse: parseRow, rows: (row, context) => transformed(transform as Transform, row, context) };
}

function refused({ name, transform }: LoadSettings, what: string, cause?: unknown): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', `loads.${name}.transform: ${transform} ${what}`, {
    hint: 'docs/load.md shows a transform',
    cause,
  });
}

function transformed(
  transform: Transform,
  row: () => Record<string, unknown>,
  context: TransformContext,
): Buffer[] | string {
  try {
    const result: unknown = transform(row() as Record<string, Value>, context);
    if (result === null || result === undefined) return [];
    const rows = Array.isArray(result) ? result : [result];
    for (const one of rows) {
      if (one instanceof Promise) {
        one.catch(() => {});
        return 'transform: returned a promise: it must return its rows at once';
      }
      if (typeof one !== 'object' || one === null || Array.isArray(one)) {
        return `transform: returned ${one === null ? 'null' : Array.isArray(one) ? 'an array' : `a ${typeof one}`} for a row`;
      }
    }
    return rows.map((one) => Buffer.from(jsonOf(one as Record<string, unknown>)));
  } catch (error) {
    return `transform: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** As JSON.stringify, but a bigint is its digits and NaN and infinities at the row's top are not lost. */
function jsonOf(row: Record<string, unknown>): string {
  for (const name in row) {
    const value = row[name];
    if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return exactJson(row);
  }
  try {
    return JSON.stringify(row);
  } catch (error) {
    // A bigint further within.
    if (error instanceof TypeError) return exactJson(row);
    throw error;
  }
}

const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

function exactJson(row: Record<string, unknown>): string {
  return JSON.stringify(row, (_name, value) => {
    if (typeof value === 'bigint') return rawJson(String(value));
    return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
  });
}

// A line without this holds no number that JSON.parse could change. Not `3e` anywhere: every other uuid has that.
const LONG_NUMBER = /[:,[]\s*-?(?:[\d.]{16}|[\d.]+[eE])/;

function parseRow(text: string): Record<string, unknown> {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  return JSON.parse(text, ((_name: string, value: unknown, { source }: { source: string }) =>
    typeof value === 'number' ? exactNumber(value, source) : value) as (name: string, value: unknown) => unknown);
}

function exactNumber(value: number, source: string): number | bigint | string {
  if (/^-?\d+$/.test(source)) return Number.isSafeInteger(value) ? value : BigInt(source);
  if (source.length < 16 && !/[eE]/.test(source)) return value;
  const sent = digitsOf(source);
  return Number.isFinite(value) && sent === digitsOf(String(value)) ? value : source;
}

function digitsOf(number: string): string {
  const bytes = Buffer.from(number);
  const { negative, digits, exponent } = decimalOf(bytes, 0, bytes.length);
  return `${negative && digits !== '' ? '-' : ''}${digits}e${exponent}`;
}
