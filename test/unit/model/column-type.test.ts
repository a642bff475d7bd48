import { describe, expect, test } from 'vitest';
import {
  canFollow,
  defaultColumnType,
  type PgType,
  pinnedColumnType,
  typeName,
} from '../../../src/model/column-type.ts';
import type { LakeType } from '../../../src/model/lake-type.ts';

const type = (oid: number, more: Partial<PgType> = {}): PgType => ({
  ...{ oid, typmod: -1, name: `type ${oid}`, kind: 'base', extension: null, element: null },
  ...more,
});
const numeric = (precision: number, scale: number) => type(1700, { typmod: ((precision << 16) | (scale & 0x7ff)) + 4 });
const name = (of: PgType, moneyScale = 2) => typeName(defaultColumnType(of, moneyScale).lake);

test.each([
  [9, 2, 'decimal(9,2)'],
  [38, 38, 'decimal(38,38)'],
  [39, 0, 'string'],
  [5, -2, 'decimal(7,0)'],
  [36, -2, 'decimal(38,0)'],
  [37, -2, 'string'],
  [3, 5, 'decimal(5,5)'],
  [2, 38, 'decimal(38,38)'],
  [2, 39, 'string'],
  [1000, -1000, 'string'],
  [1, -37, 'decimal(38,0)'],
])('numeric(%i,%i) is %s', (precision, scale, lake) => {
  expect(name(numeric(precision, scale))).toBe(lake);
});

test('money has the decimal places of lc_monetary; a numeric without bounds and a type that nobody knows are text', () => {
  expect([0, 2, 3].map((scale) => name(type(790), scale))).toEqual(['decimal(19,0)', 'decimal(19,2)', 'decimal(19,3)']);
  expect(name(type(1700))).toBe('string');
  expect(defaultColumnType(type(999_999), 2)).toEqual({ selection: 'output', wire: 'text', lake: { kind: 'string' } });
});

test('an array is JSON of its kind, an array of arrays Postgres’s own text', () => {
  const selection = (element: PgType) => defaultColumnType(type(1, { element }), 2).selection;
  expect(selection(type(23))).toBe('array-json');
  expect(selection(type(114))).toBe('json-array-json');
  expect(selection(type(3802))).toBe('jsonb-array-json');
  expect(selection(type(1, { kind: 'composite' }))).toBe('composite-array-json');
  expect(selection(type(1, { element: type(23) }))).toBe('output');
});

describe('pins', () => {
  const pin = (of: PgType, pinned: string) => {
    const { lake, ...rest } = pinnedColumnType(of, pinned, 2);
    return { ...rest, lake: typeName(lake) };
  };

  test('a pin to what the column is anyway changes nothing', () => {
    for (const of of [type(23), type(20), type(25), type(1184), numeric(10, 2), type(2950), type(1, { kind: 'range' })])
      expect(pinnedColumnType(of, name(of), 2)).toEqual(defaultColumnType(of, 2));
  });

  test('decimals are selected as numeric, however the column is written', () => {
    expect(pin(numeric(10, 2), 'decimal(20,4)')).toEqual({
      selection: 'plain',
      wire: 'numeric',
      lake: 'decimal(20,4)',
    });
    expect(pin(type(20), ' DECIMAL ( 20, 0 ) ')).toEqual({
      selection: 'numeric',
      wire: 'numeric',
      lake: 'decimal(20,0)',
    });
    expect(pin(type(790), 'decimal(20,4)')).toEqual({ selection: 'numeric', wire: 'numeric', lake: 'decimal(20,4)' });
    expect(pin(type(5069), 'decimal(30,0)')).toEqual({
      selection: 'numeric-text',
      wire: 'numeric',
      lake: 'decimal(30,0)',
    });
  });

  test('everything can be text', () => {
    for (const oid of [16, 17, 20, 700, 790, 1082, 1184, 1700, 999_999])
      expect(pin(type(oid), 'string')).toEqual({ selection: 'output', wire: 'text', lake: 'string' });
  });

  test('a list takes the elements’ own form', () => {
    expect(pin(type(1, { element: type(20) }), 'array')).toEqual({
      selection: 'plain',
      wire: { array: 'int8' },
      lake: 'array<long>',
    });
    expect(pin(type(1, { element: numeric(10, 2) }), 'array').lake).toBe('array<decimal(10,2)>');
    expect(() => pin(type(1, { element: type(1700) }), 'array')).toThrow('cannot be pinned');
  });

  test.each(['decimal(0,0)', 'decimal(39,0)', 'decimal(5,6)', 'decimal', 'decimal(5)', 'bigint', 'array<long>', ''])(
    'a bigint cannot be %j',
    (pinned) => {
      expect(() => pin(type(20), pinned)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    },
  );
});

describe('which type can follow which in the files of one table', () => {
  const lakes: LakeType[] = [
    ...(['boolean', 'short', 'integer', 'long', 'float', 'double', 'string', 'binary', 'date'] as const).map(
      (kind) => ({ kind }),
    ),
    ...[true, false].map((utc) => ({ kind: 'timestamp' as const, utc })),
    ...[
      [9, 2],
      [12, 2],
      [12, 4],
      [38, 2],
    ].map(([precision, scale]) => ({ kind: 'decimal' as const, precision, scale })),
    { kind: 'array', element: { kind: 'integer' } },
    { kind: 'array', element: { kind: 'long' } },
  ];

  test('its own, and a wider one of its kind; nothing else', () => {
    const followed = lakes.flatMap((before) =>
      lakes
        .filter((after) => after !== before && canFollow(before, after))
        .map((after) => `${typeName(before)} ${typeName(after)}`),
    );
    expect(followed).toEqual([
      'short integer',
      'short long',
      'integer long',
      'float double',
      'decimal(9,2) decimal(12,2)',
      'decimal(9,2) decimal(38,2)',
      'decimal(12,2) decimal(38,2)',
    ]);
    for (const lake of lakes) expect(canFollow(lake, structuredClone(lake))).toBe(true);
  });
});
