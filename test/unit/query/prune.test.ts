import { describe, expect, test } from 'vitest';
import type { Constant, Filter } from '../../../src/query/filters.ts';
import { type ColumnBounds, mayMatch } from '../../../src/query/prune.ts';

const BIGINT = (value: bigint): Constant => ({ type: 'BIGINT', scale: 0, value });
const TEXT = (value: string): Constant => ({ type: 'VARCHAR', scale: 0, value });

function needed(filter: Filter, bounds: ColumnBounds, rows = 10n): boolean {
  const scan = { schema: 'main', table: 't', filters: [{ column: 'c', filter }] };
  return mayMatch(scan, { rows, column: (name) => (name === 'c' ? bounds : undefined) });
}

describe('a file is left out only where its bounds exclude every row', () => {
  const bounds = { min: '10', max: '20' };
  test.each<[Filter['kind'], bigint, boolean]>([
    ['=', 9n, false],
    ['=', 10n, true],
    ['=', 20n, true],
    ['=', 21n, false],
    ['<', 10n, false],
    ['<', 11n, true],
    ['<=', 9n, false],
    ['<=', 10n, true],
    ['>', 20n, false],
    ['>', 19n, true],
    ['>=', 21n, false],
    ['>=', 20n, true],
  ])('10 to 20 and %s %s: %s', (kind, value, expected) => {
    expect(needed({ kind, value: BIGINT(value) } as Filter, bounds)).toBe(expected);
  });

  test('numbers beyond 2^53 are compared exactly', () => {
    const huge = { min: '9007199254740993', max: '9007199254740993' };
    expect(needed({ kind: '=', value: BIGINT(9007199254740992n) }, huge)).toBe(false);
    expect(needed({ kind: '=', value: BIGINT(9007199254740993n) }, huge)).toBe(true);
  });

  test('all of several filters, one of several', () => {
    const low: Filter = { kind: '<', value: BIGINT(5n) };
    const within: Filter = { kind: '=', value: BIGINT(15n) };
    expect(needed({ kind: 'and', filters: [within, low] }, bounds)).toBe(false);
    expect(needed({ kind: 'or', filters: [within, low] }, bounds)).toBe(true);
    expect(needed({ kind: 'or', filters: [low, low] }, bounds)).toBe(false);
    expect(needed({ kind: 'or', filters: [low, { kind: 'any' }] }, bounds)).toBe(true);
  });

  test('NULLs by their count', () => {
    expect(needed({ kind: 'null' }, { nulls: 0n })).toBe(false);
    expect(needed({ kind: 'null' }, { nulls: 1n })).toBe(true);
    expect(needed({ kind: 'null' }, {})).toBe(true);
    expect(needed({ kind: 'not-null' }, { nulls: 10n })).toBe(false);
    expect(needed({ kind: 'not-null' }, { nulls: 9n })).toBe(true);
    expect(needed({ kind: 'not-null' }, {})).toBe(true);
  });
});

describe('what is not certain counts as no bound', () => {
  const equals = (type: string, value: Constant['value'], scale = 0): Filter => ({
    kind: '=',
    value: { type, scale, value },
  });

  test.each<[string, Filter, ColumnBounds]>([
    ['no bounds', equals('BIGINT', 5n), {}],
    ['a number in another form', equals('BIGINT', 5n), { min: '1e3', max: '1e4' }],
    [
      'a decimal that went through a double',
      equals('DECIMAL', 1n, 0),
      { min: '12345678901234567', max: '12345678901234569' },
    ],
    ['a decimal with more places', equals('DECIMAL', 1n, 1), { min: '7.123', max: '8.123' }],
    ['a year with five digits', equals('DATE', 0n), { min: '12026-01-01', max: '12026-01-02' }],
    ['an instant in another zone', equals('TIMESTAMP WITH TIME ZONE', 0n), { min: '2026-01-01T00:00:00.000+02:00' }],
    ['a type without an order here', equals('UUID', 5n), { min: '1', max: '2' }],
  ])('%s', (_, filter, bounds) => {
    expect(needed(filter, bounds)).toBe(true);
  });

  test('NaN, which lies above every number, may be missing in the maximum', () => {
    const over: Filter = { kind: '>', value: { type: 'DOUBLE', scale: 0, value: 100 } };
    expect(needed(over, { min: '1', max: '2' })).toBe(true);
    expect(needed({ ...over, kind: '<' }, { min: '101', max: '102' })).toBe(false);
  });

  test('a bound of a float is the float that the file has', () => {
    const value = Math.fround(0.7);
    expect(needed({ kind: '<=', value: { type: 'FLOAT', scale: 0, value } }, { min: '0.7' })).toBe(true);
  });
});

describe('bounds that writers cut are widened', () => {
  test('a maximum of 32 characters stands for everything that begins so', () => {
    const max = 'x'.repeat(32);
    expect(needed({ kind: '=', value: TEXT(`${max}yz`) }, { min: 'a', max })).toBe(true);
    expect(needed({ kind: '=', value: TEXT('y') }, { min: 'a', max })).toBe(false);
    expect(needed({ kind: '=', value: TEXT('abcd') }, { min: 'a', max: 'abc' })).toBe(false);
  });

  test('text goes by its bytes in UTF-8, not by UTF-16', () => {
    // U+FF61 is below U+1F600, whose first UTF-16 unit is smaller.
    expect(needed({ kind: '=', value: TEXT('\u{1F600}') }, { min: 'a', max: '\uFF61' })).toBe(false);
    expect(needed({ kind: '=', value: TEXT('\uFF61') }, { min: 'a', max: '\u{1F600}' })).toBe(true);
  });

  test('a maximum in milliseconds stands for the whole millisecond', () => {
    const micros = BigInt(Date.UTC(2026, 0, 2, 3, 4, 5, 678)) * 1000n;
    const equals = (value: bigint): Filter => ({
      kind: '=',
      value: { type: 'TIMESTAMP WITH TIME ZONE', scale: 0, value },
    });
    const bounds = { min: '2026-01-02T03:04:05.000Z', max: '2026-01-02T03:04:05.678Z' };
    expect(needed(equals(micros + 999n), bounds)).toBe(true);
    expect(needed(equals(micros + 1001n), bounds)).toBe(false);
    expect(needed(equals(micros - 678_001n), bounds)).toBe(false);
  });

  test('days, also before 1970 and 100', () => {
    const equals = (value: bigint): Filter => ({ kind: '=', value: { type: 'DATE', scale: 0, value } });
    expect(needed(equals(-1n), { min: '1969-12-31', max: '1969-12-31' })).toBe(true);
    expect(needed(equals(0n), { min: '1969-12-31', max: '1969-12-31' })).toBe(false);
    expect(needed(equals(-716099n), { min: '0009-05-22', max: '0009-05-22' })).toBe(true);
    expect(needed(equals(0n), { min: '0009-05-22', max: '0009-05-22' })).toBe(false);
  });
});
