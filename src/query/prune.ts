/**
 * Whether a file can hold a row that a scan needs, by its statistics. Invariant: it says no only when no row can: bounds that
 * are missing, of another type or in an unknown form count as none, and those that writers are known to cut are widened. Pure.
 */

import type { Constant, Filter, Scan } from './filters.ts';

/** As the log has them: numbers as digits, dates and instants as ISO text. Undefined: not known. */
export type ColumnBounds = { min?: string; max?: string; nulls?: bigint };

/** `rows`: physical ones, those that a deletion vector hides too. */
export type FileBounds = { rows?: bigint; column(name: string): ColumnBounds | undefined };

/** Whether a scan needs the file. */
export function mayMatch(scan: Scan, file: FileBounds): boolean {
  return scan.filters.every(({ column, filter }) => passes(filter, file.column(column) ?? {}, file.rows));
}

function passes(filter: Filter, bounds: ColumnBounds, rows: bigint | undefined): boolean {
  switch (filter.kind) {
    case 'any':
      return true;
    case 'null':
      return bounds.nulls !== 0n;
    case 'not-null':
      return bounds.nulls === undefined || bounds.nulls !== rows;
    case 'and':
      return filter.filters.every((each) => passes(each, bounds, rows));
    case 'or':
      return filter.filters.some((each) => passes(each, bounds, rows));
    default:
      return compares(filter.kind, filter.value, bounds);
  }
}

function compares(kind: '=' | '<' | '<=' | '>' | '>=', constant: Constant, { min, max }: ColumnBounds): boolean {
  const value = comparable(constant);
  const low = min === undefined ? null : lowest(constant, min);
  const high = max === undefined ? null : highest(constant, max);
  if (kind !== '>' && kind !== '>=' && low !== null) {
    const order = compare(low, value);
    if (kind === '<' ? order >= 0 : order > 0) return false;
  }
  if (kind !== '<' && kind !== '<=' && high !== null) {
    const order = compare(high, value);
    if (kind === '>' ? order <= 0 : order < 0) return false;
  }
  return true;
}

type Comparable = bigint | number | Buffer;

function compare(a: Comparable, b: Comparable): number {
  if (Buffer.isBuffer(a) && Buffer.isBuffer(b)) return Buffer.compare(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

function comparable({ value }: Constant): Comparable {
  return typeof value === 'string' ? Buffer.from(value) : value;
}

// What Delta's writers keep of a text at most; a cut maximum should be rounded up, and not every writer does.
const CUT_TEXT = 32;
const LAST_CHARACTER = '\u{10FFFF}';
const MILLISECOND = 1000n;

function lowest(constant: Constant, text: string): Comparable | null {
  return read(constant, text);
}

function highest(constant: Constant, text: string): Comparable | null {
  switch (constant.type) {
    case 'VARCHAR':
      return Buffer.from(text.length >= CUT_TEXT ? text + LAST_CHARACTER : text);
    // NaN is above every number, and some writers leave it out of their maximum.
    case 'FLOAT':
    case 'DOUBLE':
      return null;
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE': {
      const value = read(constant, text) as bigint | null;
      // Statistics end with milliseconds: most writers cut the maximum off there.
      return value === null ? null : value + MILLISECOND;
    }
    default:
      return read(constant, text);
  }
}

/** A bound in the constant's own measure; null when its form is none that is certain. */
function read({ type, scale }: Constant, text: string): Comparable | null {
  switch (type) {
    case 'TINYINT':
    case 'SMALLINT':
    case 'INTEGER':
    case 'BIGINT':
    case 'HUGEINT':
      return /^-?\d+$/.test(text) ? BigInt(text) : null;
    case 'DECIMAL':
      return readDecimal(text, scale);
    case 'FLOAT':
    case 'DOUBLE': {
      const value = text === '' ? Number.NaN : Number(text);
      return Number.isNaN(value) ? null : type === 'FLOAT' ? Math.fround(value) : value;
    }
    case 'DATE': {
      const micros = readInstant(text);
      return micros === null || text.length !== 10 ? null : micros / 86_400_000_000n;
    }
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE':
      return readInstant(text);
    case 'VARCHAR':
      return Buffer.from(text);
    default:
      return null;
  }
}

function readDecimal(text: string, scale: number): bigint | null {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (!match) return null;
  const [, sign, whole, fraction = ''] = match;
  const digits = (whole + fraction).replace(/^0+/, '').length;
  // Some writers bring decimals through a double: that many digits may be the rounded ones.
  if (digits === 16 || digits === 17 || fraction.length > scale) return null;
  return BigInt(`${sign}${whole}${fraction.padEnd(scale, '0')}`);
}

const INSTANT = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?(?:Z|\+00(?::?00)?)?$/;

/** Microseconds since 1970. */
function readInstant(text: string): bigint | null {
  const match = INSTANT.exec(text);
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0));
  // Date.UTC takes the years 0 to 99 for 1900 to 1999.
  const ms = new Date(0).setUTCFullYear(year, month - 1, day) + ((hour * 60 + minute) * 60 + second) * 1000;
  return BigInt(ms) * 1000n + BigInt((match[7] ?? '').padEnd(6, '0') || '0');
}
