import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeltaColumn, DeltaType } from '../../../../src/compact/delta/actions.ts';
import {
  type ColumnStatistics,
  parseStatistics,
  statisticsOf,
  withVector,
} from '../../../../src/compact/delta/statistics.ts';

const column = (name: string, type: DeltaType): DeltaColumn => ({ name, type, nullable: true, metadata: {} });

/** What DuckDB returns of a column. */
function facts(name: string, min?: string, max?: string, nulls = 0): ColumnStatistics[number] {
  const value = [{ key: 'null_count', value: String(nulls) }];
  if (min !== undefined) value.push({ key: 'min', value: min });
  if (max !== undefined) value.push({ key: 'max', value: max });
  return { key: `"${name.replaceAll('"', '""')}"`, value };
}

/** JSON texts of the bounds of one column with these least and greatest values. */
function bounds(type: DeltaType, min: string, max = min): [string | undefined, string | undefined] {
  const stats = statisticsOf([column('c', type)], 2, [facts('c', min, max)], { noNan: new Set(['c']) });
  const of = (name: string) => new RegExp(`"${name}":\\{"c":(.*?)\\},"`).exec(stats)?.[1];
  return [of('minValues'), of('maxValues')];
}

describe('the text', () => {
  test('of a file', () => {
    const columns = [column('id', 'long'), column('größe "x"', 'decimal(10,2)'), column('nothing', 'string')];
    const found = [
      facts('nothing', undefined, undefined, 3),
      facts('id', '1', '3'),
      facts('größe "x"', '-.50', '12.25', 1),
    ];
    expect(statisticsOf(columns, 3, found)).toBe(
      '{"numRecords":3,"minValues":{"id":1,"größe \\"x\\"":-0.50},"maxValues":{"id":3,"größe \\"x\\"":12.25},"nullCount":{"id":0,"größe \\"x\\"":1,"nothing":3}}',
    );
  });

  test('the first 32 columns, and the key wherever it stands', () => {
    const names = Array.from({ length: 40 }, (_, i) => `c${i}`);
    const columns = names.map((name) => column(name, 'integer'));
    const found = names.map((name) => facts(name, '1', '2'));
    const stats = parseStatistics(statisticsOf(columns, 2, found, { always: ['c38', 'c3'] }), columns)!;
    const expected = [...names.slice(0, 32), 'c38'];
    expect([...stats.min.keys()]).toEqual(expected);
    expect([...stats.nullCount.keys()]).toEqual(expected);
  });

  test('booleans, bytes and arrays have no bounds; an array has no count of nulls', () => {
    const columns = [
      column('b', 'boolean'),
      column('y', 'binary'),
      column('a', { type: 'array', elementType: 'integer', containsNull: true }),
    ];
    const found = [facts('b', '0', '1'), facts('y', 'AA62', 'AA63'), { ...facts('a', '1', '7'), key: '"a"."element"' }];
    expect(statisticsOf(columns, 1, found)).toBe(
      '{"numRecords":1,"minValues":{},"maxValues":{},"nullCount":{"b":0,"y":0}}',
    );
  });
});

describe('numbers', () => {
  test.each([
    ['long', '-9223372036854775808', '9223372036854775807'],
    ['decimal(38,0)', '-99999999999999999999999999999999999999', '99999999999999999999999999999999999999'],
    ['decimal(38,9)', '12345678901234567890123456789.123456789', '12345678901234567890123456789.123456790'],
  ])('%s keeps every digit', (type, min, max) => {
    expect(bounds(type, min, max)).toEqual([min, max]);
  });

  test('a double that is not finite has no bound', () => {
    expect(bounds('double', '-inf', '1e+300')).toEqual([undefined, '1e+300']);
    expect(bounds('double', '-1.5', 'inf')).toEqual(['-1.5', undefined]);
    expect(bounds('double', 'nan')).toEqual([undefined, undefined]);
  });

  test('zero has both signs within its bounds', () => {
    expect(bounds('double', '0.0', '-0.0')).toEqual(['-0.0', '0.0']);
  });

  test('a float is given as the double it is', () => {
    // 0.33333334 as a double would be less than the float.
    expect(bounds('float', '0.33333334')).toEqual(['0.3333333432674408', '0.3333333432674408']);
    expect(bounds('float', '123456790.0')).toEqual(['123456792', '123456792']);
  });

  test('floats that may hold NaN have none', () => {
    const stats = statisticsOf([column('d', 'double')], 2, [facts('d', '0.0', '7.0')]);
    expect(stats).toBe('{"numRecords":2,"minValues":{},"maxValues":{},"nullCount":{"d":0}}');
  });
});

describe('times', () => {
  test('a timestamp is rounded outward to milliseconds', () => {
    const value = '2026-01-02 03:04:05.678901+00';
    expect(bounds('timestamp', value)).toEqual(['"2026-01-02T03:04:05.678Z"', '"2026-01-02T03:04:05.679Z"']);
    expect(bounds('timestamp_ntz', '2026-12-31 23:59:59.9999')).toEqual([
      '"2026-12-31T23:59:59.999"',
      '"2027-01-01T00:00:00.000"',
    ]);
  });

  test('what is whole milliseconds stays', () => {
    expect(bounds('timestamp', '2026-01-02 03:04:05+00')).toEqual([
      '"2026-01-02T03:04:05.000Z"',
      '"2026-01-02T03:04:05.000Z"',
    ]);
    expect(bounds('timestamp', '2026-01-02 03:04:05.678000+00')[1]).toBe('"2026-01-02T03:04:05.678Z"');
  });

  test('before 1970 and in the first century', () => {
    expect(bounds('timestamp', '1969-12-31 23:59:59.999999+00')).toEqual([
      '"1969-12-31T23:59:59.999Z"',
      '"1970-01-01T00:00:00.000Z"',
    ]);
    expect(bounds('timestamp', '0001-01-01 00:00:00.0001+00')).toEqual([
      '"0001-01-01T00:00:00.000Z"',
      '"0001-01-01T00:00:00.001Z"',
    ]);
  });

  test('what four digits of a year cannot say has no bound', () => {
    expect(bounds('timestamp', '0044-03-15 (BC) 00:00:00+00', '12345-01-02 03:04:05+00')).toEqual([
      undefined,
      undefined,
    ]);
    expect(bounds('timestamp', '-infinity', 'infinity')).toEqual([undefined, undefined]);
    expect(bounds('timestamp', '9999-12-31 23:59:59.999999+00')).toEqual(['"9999-12-31T23:59:59.999Z"', undefined]);
    expect(bounds('date', '0044-03-15 (BC)', '12345-01-02')).toEqual([undefined, undefined]);
    expect(bounds('date', '0001-01-01', '9999-12-31')).toEqual(['"0001-01-01"', '"9999-12-31"']);
  });

  test('a time of another zone is not taken for UTC', () => {
    expect(bounds('timestamp', '2026-01-02 03:04:05+02')).toEqual([undefined, undefined]);
  });
});

describe('strings', () => {
  const string = (min: string, max = min) => bounds('string', min, max).map((json) => JSON.parse(json!));

  test('of 32 characters stay, longer ones are cut', () => {
    const x32 = 'x'.repeat(32);
    expect(string(x32)).toEqual([x32, x32]);
    expect(string(`${x32}y`)).toEqual([x32, `${x32}\u007f`]);
    expect(string(`${x32}\u007f`)).toEqual([x32, `${x32}\u{10FFFF}`]);
    expect(string(`${x32}é`)).toEqual([x32, `${x32}\u{10FFFF}`]);
  });

  test('an emoji is one character, cut or kept as a whole', () => {
    const emoji = '😀'.repeat(32);
    expect(string(emoji)).toEqual([emoji, emoji]);
    expect(string(`a${emoji}`)).toEqual([`a${'😀'.repeat(31)}`, `a${'😀'.repeat(31)}\u{10FFFF}`]);
  });

  test('the last character of all is passed over: nothing sorts after it', () => {
    const last = '\u{10FFFF}';
    expect(string(last.repeat(40))[1]).toBe(last.repeat(40));
    expect(string(`${'a'.repeat(32)}${last}b`)[1]).toBe(`${'a'.repeat(32)}${last}\u007f`);
  });

  test('any text lies within its bounds, by UTF-8 bytes', () => {
    const unit = fc.constantFrom(
      'a',
      '~',
      '\u007f',
      'é',
      '\u07ff',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '😀',
      '\u{10FFFF}',
      '\0',
      '"',
    );
    fc.assert(
      fc.property(
        fc.array(unit, { maxLength: 70 }).map((units) => units.join('')),
        (value) => {
          const [min, max] = string(value).map((bound) => Buffer.from(bound));
          const bytes = Buffer.from(value);
          expect(Buffer.compare(min, bytes)).toBeLessThanOrEqual(0);
          expect(Buffer.compare(max, bytes)).toBeGreaterThanOrEqual(0);
          expect([...string(value)[0]].length).toBeLessThanOrEqual(32);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('what is read', () => {
  const columns = [
    column('id', 'long'),
    column('at', 'timestamp'),
    column('s', 'string'),
    column('constructor', 'integer'),
  ];

  test('is what was written, with every digit', () => {
    const found = [
      facts('id', '-9223372036854775808', '9223372036854775807'),
      facts('at', '2026-01-02 03:04:05.678901+00', '2026-01-02 03:04:05.678+00', 1),
      facts('s', 'a', 'b'),
    ];
    expect(parseStatistics(statisticsOf(columns, 5, found), columns)).toEqual({
      rows: 5,
      min: new Map([
        ['id', '-9223372036854775808'],
        ['at', '2026-01-02T03:04:05.678Z'],
        ['s', 'a'],
      ]),
      // Other writers cut it down to these milliseconds.
      max: new Map([
        ['id', '9223372036854775807'],
        ['at', '2026-01-02T03:04:05.678999Z'],
        ['s', 'b'],
      ]),
      nullCount: new Map([
        ['id', 0],
        ['at', 1],
        ['s', 0],
      ]),
      tight: true,
    });
  });

  test('other forms of a timestamp, as other writers have them', () => {
    const max = (at: string) =>
      parseStatistics(JSON.stringify({ numRecords: 1, maxValues: { at } }), columns)?.max.get('at');
    expect(max('2026-01-02T03:04:05.678+00:00')).toBe('2026-01-02T03:04:05.678999+00:00');
    expect(max('2026-01-02T03:04:05.678')).toBe('2026-01-02T03:04:05.678999');
    expect(max('2026-01-02T03:04:05Z')).toBe('2026-01-02T03:04:05.999999Z');
    expect(max('2026-01-02T03:04:05.678901Z')).toBe('2026-01-02T03:04:05.678901Z');
  });

  test.each<[string, string, string, string]>([
    ['decimal(9,2)', '-1.0', '-1.00', '-1.00'],
    ['decimal(9,2)', '5', '5.00', '5.00'],
    ['decimal(5,0)', '1e+3', '1000', '1000'],
    ['decimal(3,1)', '0.25', '0.1', '0.3'],
    ['decimal(18,2)', '90071992547409.94', '90071992547409.61', '90071992547410.27'],
    ['decimal(38,9)', '1e+29', '99999999999999644728632119949.907064437', '99999999999999999999999999999.999999999'],
    [
      'decimal(38,0)',
      '-99999999999999999999999999999999999999',
      '-99999999999999999999999999999999999999',
      '-99999999999999644728632119949907064436',
    ],
    ['decimal(38,38)', '1e-38', '0.00000000000000000000000000000000000001', '0.00000000000000000000000000000000000001'],
  ])('%s: %s may be what a double made of %s to %s', (type, value, min, max) => {
    const stats = `{"numRecords":1,"minValues":{"d":${value}},"maxValues":{"d":${value}}}`;
    const parsed = parseStatistics(stats, [column('d', type)])!;
    expect([parsed.min.get('d'), parsed.max.get('d')]).toEqual([min, max]);
  });

  test('a decimal made a double lies within its bounds', () => {
    const max = 10n ** 18n - 1n;
    fc.assert(
      fc.property(fc.bigInt({ min: -max, max }), fc.integer({ min: 0, max: 18 }), (unscaled, scale) => {
        const double = Number(unscaled) / 10 ** scale;
        const parsed = parseStatistics(`{"numRecords":1,"minValues":{"d":${double}},"maxValues":{"d":${double}}}`, [
          column('d', `decimal(18,${scale})`),
        ])!;
        const [low, high] = [parsed.min, parsed.max].map((bound) => BigInt(bound.get('d')!.replace('.', '')));
        expect(low <= unscaled && unscaled <= high).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('with a deletion vector the bounds are no longer tight, and nothing else changes', () => {
    const stats = withVector(
      '{"numRecords":3,"minValues":{"id":12345678901234567890.10},"maxValues":{"s":"\\u0000é"}}',
    );
    expect(stats).toBe(
      '{"numRecords":3,"minValues":{"id":12345678901234567890.10},"maxValues":{"s":"\\u0000é"},"tightBounds":false}',
    );
    expect(withVector(stats)).toBe(stats);
    expect(parseStatistics(stats, columns)).toMatchObject({ rows: 3, tight: false });
  });

  test.each([null, '', 'null', '7', '{', '[]', '{}', '{"numRecords":null}', '{"numRecords":"many"}'])(
    '%j: nothing to rely on',
    (stats) => {
      expect(parseStatistics(stats, columns)).toBeNull();
    },
  );

  test('bounds of structs and of columns that are gone are passed over', () => {
    const stats =
      '{"numRecords":1,"minValues":{"id":{"x":1},"old":2,"s":null},"maxValues":{},"nullCount":{"id":{"x":0}}}';
    expect(parseStatistics(stats, columns)).toEqual({
      rows: 1,
      min: new Map(),
      max: new Map(),
      nullCount: new Map(),
      tight: true,
    });
  });
});
