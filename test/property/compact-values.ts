/** Columns and values for stories of a staged table: hard keys, values that stay the same text in every wider type. */

/** Text as DuckDB prints it, from a staged table; `raw`: as it is written, where that differs. */
export type Column = { name: string; types: string[]; values: string[]; staged?: (value: string) => string };
export type KeyKind = { name: string; columns: { name: string; types: string[] }[]; values: string[][] };

const LONG = 'a common prefix of more than thirty-two characters, ';

const INTEGERS = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 50, 51, 99, 100, 101, 1000, -1, -2, -3, -50, 2147483647, -2147483648,
].map(String);

const DOUBLES = [
  '0.0',
  '-0.0',
  '1.5',
  '-1.5',
  '2.0',
  '3.0',
  '1e+100',
  '-1e+100',
  '1e-300',
  'nan',
  'inf',
  '-inf',
  '0.1',
  '0.2',
  '1e+16',
];

const TEXTS = [
  ...[
    '',
    ' ',
    'a',
    'A',
    'b',
    'ä',
    'ÿ',
    'z',
    '~',
    '\u007f',
    '日本',
    '😀',
    '\u{10FFFF}',
    "it's",
    '"quoted"',
    'a\nb',
    '\\',
  ],
  ...[1, 2, 3, 10].map((n) => `${LONG}${n}`),
  ...['ä', '😀', '\u007f', '\uFFFD'].map((last) => LONG.slice(0, 31) + last),
  ...['ä', '😀', '\u{10FFFF}'].map((last) => `${LONG.slice(0, 32)}${last}x`),
  ...['x', 'ä', '\u{10FFFF}'].map((each) => each.repeat(300)),
];

const INSTANTS = [
  ...['00', '00.000001', '00.000999', '00.001', '00.001001', '00.5', '59.999', '59.999999'].map(
    (s) => `2026-01-01 00:00:${s}`,
  ),
  '2026-01-01 00:01:00',
  '0001-01-01 00:00:00',
  '9999-12-31 23:59:59.999999',
  '1969-12-31 23:59:59.999999',
];

const single = (name: string, column: string, types: string[], values: string[]): KeyKind => ({
  name,
  columns: [{ name: column, types }],
  values: values.map((value) => [value]),
});

const UUIDS = Array.from({ length: 24 }, (_, i) => {
  const hex = (i * 0x9e3779b1 + 0x1234).toString(16).padStart(12, '0').slice(-12);
  return `${hex.slice(0, 8)}-${hex.slice(8)}-4000-8000-${hex}`;
});

export const KEYS: KeyKind[] = [
  single(
    'int',
    'id',
    ['SMALLINT', 'INTEGER', 'BIGINT'],
    INTEGERS.filter((n) => Math.abs(Number(n)) < 32768),
  ),
  single('int edge', 'c1', ['INTEGER', 'BIGINT'], INTEGERS),
  single(
    'long',
    'row',
    ['BIGINT'],
    [...INTEGERS, '9007199254740993', '9007199254740992', '-9223372036854775808', '9223372036854775807'],
  ),
  single('text', 'k"e.y', ['VARCHAR'], TEXTS),
  single('uuid', 'Größe', ['VARCHAR'], UUIDS),
  single(
    'decimal',
    'file',
    ['DECIMAL(8,2)', 'DECIMAL(18,2)', 'DECIMAL(38,2)'],
    ['0.00', '0.01', '-0.01', '0.10', '1.00', '10.00', '9.99', '-10.00', '123456.78', '-123456.78'],
  ),
  single(
    'instant',
    'at',
    ['TIMESTAMPTZ'],
    INSTANTS.map((value) => `${value}+00`),
  ),
  single(
    'date',
    'day',
    ['DATE'],
    ['0001-01-01', '1969-12-31', '1970-01-01', '2026-01-01', '2026-01-02', '2026-12-31', '9999-12-31'],
  ),
  single('double', 'x', ['DOUBLE'], DOUBLES),
  single('float', 'x', ['FLOAT', 'DOUBLE'], ['0.0', '1.5', '-1.5', '2.0', '0.25', '1024.0', 'nan', 'inf', '-inf']),
  single('boolean', 'yes', ['BOOLEAN'], ['true', 'false']),
  single('bytes', 'b', ['BLOB'], ['\\x00', '\\x01', '\\x01\\x00', 'abc', '\\xFF\\xFF', '']),
  {
    name: 'int and text',
    columns: [
      { name: 'a', types: ['INTEGER', 'BIGINT'] },
      { name: 'b', types: ['VARCHAR'] },
    ],
    values: ['1', '2', '-3'].flatMap((a) => ['', 'x', 'ä', `${LONG}1`, `${LONG}2`, 'X'].map((b) => [a, b])),
  },
  {
    name: 'text and instant',
    columns: [
      { name: 'op', types: ['VARCHAR'] },
      { name: 'change', types: ['TIMESTAMPTZ'] },
    ],
    values: ['de', 'at'].flatMap((a) => INSTANTS.map((b) => [a, `${b}+00`])),
  },
];

/** Names that the merge's own SQL uses are among them. */
export const COLUMNS: Column[] = [
  { name: 'c0', types: ['SMALLINT', 'INTEGER', 'BIGINT'], values: ['0', '1', '-1', '32767', '-32768'] },
  { name: 'gone', types: ['FLOAT', 'DOUBLE'], values: ['0.0', '-0.0', '0.5', '-2.25', 'nan', 'inf', '-inf'] },
  {
    name: 'a"b.c',
    types: ['DECIMAL(6,2)', 'DECIMAL(18,2)', 'DECIMAL(30,2)'],
    values: ['0.00', '0.05', '-0.05', '9999.99'],
  },
  { name: 'Straße', types: ['VARCHAR'], values: TEXTS },
  { name: 'filename', types: ['VARCHAR[]', 'VARCHAR[]'], values: ['[]', '[a, b]', '[NULL]'] },
  { name: 'hits', types: ['TIMESTAMPTZ'], values: INSTANTS.map((value) => `${value}+00`) },
  { name: 'local', types: ['TIMESTAMP'], values: INSTANTS, staged: (value) => `${value}+00` },
  { name: 'flag', types: ['BOOLEAN'], values: ['true', 'false'] },
  { name: 'day_2', types: ['DATE'], values: ['0001-01-01', '2026-01-01', '9999-12-31'] },
];
