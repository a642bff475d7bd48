/** A column for every type that a table can have, with the values that break exporters. */

import { inject } from 'vitest';
import { json, multirange, numeric, range, scalar, sql, type TypeCase, type Value } from './type-case.ts';

const NASTY_TEXT: Value[] = [
  '',
  ' ',
  'NULL',
  '\\N',
  `it's "quoted", \\back\\slashed`,
  'line\r\nline\n\ttab\u000b\u0001',
  '🏔 𐍈 naïve Ǆ ﬀ é e\u0301 \u200f\u2028\ufeff',
  '!',
  '{"json": null}',
  sql(`repeat('0123456789', 100)`),
];

const INTEGERS: Record<string, [lake: string, type: string, values: Value[]]> = {
  int2: ['short', 'smallint', ['-32768', '32767', '0', '-1']],
  int4: ['integer', 'integer', ['-2147483648', '2147483647', '0', '-1', '65536']],
  int8: [
    'long',
    'bigint',
    ['-9223372036854775808', '9223372036854775807', '0', '-1', '9007199254740993', '4294967296'],
  ],
};

const FLOATS: Value[] = [
  '0',
  '-0',
  '0.1',
  '-1.5',
  'NaN',
  'Infinity',
  '-Infinity',
  '1e-20',
  '123456.7',
  '1e15',
  '33.333332',
];
const DATES: Value[] = [
  '0001-01-01',
  '9999-12-31',
  '1969-12-31',
  '1970-01-01',
  '2000-02-29',
  '1582-10-10',
  '1900-03-01',
];
const STAMPS: Value[] = [
  '0001-01-01 00:00:00',
  '9999-12-31 23:59:59.999999',
  '1969-12-31 23:59:59.999999',
  '1970-01-01 00:00:00',
  '1999-12-31 23:59:59.999999',
  '2024-02-29 12:00:00.000001',
  '2038-01-19 03:14:08',
];

/** Types that the cases use. Run with the extensions' schema in the search_path. */
export const TYPE_SETUP = `
  create extension citext; create extension hstore; create extension ltree; create extension cube; create extension isn;
  create extension intarray; create extension seg;
  create type mood as enum ('sad', 'ok', 'it''s "odd", {really}', 'NULL', '', '🏔');
  create domain "Flag" as boolean;
  create domain price as numeric(12,3) check (value >= 0);
  create domain dear_price as price check (value > 100);
  create domain short_text as varchar(20);
  create domain "bıgınt" as bigint;
  create domain some_days as date[];
  create type inner_row as (a int, b text, at timestamptz);
  create type outer_row as (id bigint, i inner_row, list int[], f float8, n numeric, y bytea, "Odd ""name" mood);
  create type xml_row as (x xml, n xml[]);
  create domain a_row as inner_row;
  create table thing (id int primary key);
  create type text_range as range (subtype = text, collation = "C");
  create type float_range as range (subtype = float8);`;

export const ALL_TYPE_CASES: TypeCase[] = [
  ...Object.values(INTEGERS).map(([lake, type, values]) => scalar(lake, type, values)),
  ...['oid', 'xid', 'cid'].map((type) => scalar('long', type, ['0', '1', '2147483648', '4294967295'])),
  scalar('decimal(20,0)', 'xid8', ['0', '4294967296', '18446744073709551615']),
  scalar('float', 'real', [...FLOATS, '1e-45', '3.4028235e38', '1.17549435e-38', '16777216']),
  scalar('double', 'double precision', [
    ...FLOATS,
    '5e-324',
    '1.7976931348623157e308',
    '2.2250738585072014e-308',
    '9007199254740993',
  ]),
  ...[
    [1, 0],
    [4, 2],
    [9, 0],
    [9, 9],
    [10, 2],
    [12, 12],
    [15, 3],
    [16, 16],
    [18, 0],
    [18, 18],
    [19, 0],
    [19, 4],
    [28, 10],
    [38, 0],
    [38, 10],
    [38, 38],
    [5, -2],
    [36, -2],
    [3, 5],
    [2, 38],
    [37, -2],
    [39, 0],
    [3, 40],
    [100, 50],
  ].map(([p, s]) => numeric(p, s)),
  scalar('string', 'numeric', [
    ...[
      'NaN',
      'Infinity',
      '-Infinity',
      '0',
      '0.00',
      '1.10',
      '1.1000',
      '-0.000',
      '1e-16383',
      '1e131071',
      '-12345678901234567890.5',
    ],
  ]),
  scalar('decimal(19,2)', 'money', ['0', '12.34', '-12.34', '92233720368547758.07', '-92233720368547758.08']),
  scalar('boolean', 'boolean', ['true', 'false']),
  scalar('string', 'text', NASTY_TEXT),
  scalar('string', 'varchar(1000)', NASTY_TEXT),
  scalar('string', 'char(8)', ['', 'ab', 'ab c', '12345678', ' x', '🏔'], 'bpchar'),
  scalar('string', 'bpchar', ['', 'ab ', ' x  ']),
  scalar('string', 'name', ['', 'a', sql("repeat('x', 63)")]),
  scalar('string', '"char"', ['', 'a', '\\200', '\\377', '\\\\', ' ']),
  scalar('binary', 'bytea', ['', '\\x00', '\\x00ff5c27', sql("decode(repeat('00ff', 2000), 'hex')"), 'text']),
  scalar('string', 'uuid', [
    '00000000-0000-0000-0000-000000000000',
    'FFFFFFFF-FFFF-4FFF-bfff-ffffffffffff',
    '{a0eebc999c0b4ef8bb6d6bb9bd380a11}',
  ]),
  scalar('string', 'json', [
    'null',
    '{"b":1,  "a":2,"a":3}',
    '"\\u0000 \\ud83d"',
    ' [1.0, 1e400]\n',
    '""',
    '123456789012345678901234567890.10',
  ]),
  scalar('string', 'jsonb', [
    'null',
    '{"b":1,  "a":2,"a":3}',
    '[1.0, 1.00, 100000000000000000000000000000000000]',
    '"🏔"',
    '{}',
    '""',
  ]),
  scalar('string', 'jsonpath', ['$', '$.a[*] ? (@.b > 1)', 'strict $."odd key"']),
  scalar('string', 'xml', ['<a/>', '<a b="c">&amp;é\r\n</a>', 'text only']),
  scalar('string', 'citext', ['Ab', 'aB', '', 'É']),
  {
    lake: 'string',
    type: 'hstore',
    values: ['', 'a=>1', '"a b"=>NULL, "NULL"=>"NULL", "q\\""=>"\\\\"', '""=>""', '🏔=>🏔'],
    restore: `(select coalesce(hstore(array_agg(key), array_agg(value)), '') from json_each_text(x::json))`,
  },
  scalar('string', 'ltree', ['', 'Top.Science.Astronomy']),
  scalar('string', 'lquery', ['*.foo|bar.*{2,}']),
  scalar('string', 'cube', ['(1,2),(3,4)', '0.1', '(1e-300)']),
  scalar('string', 'seg', ['1.50', '1.5 .. 2.5', '~2']),
  scalar('string', 'query_int', ['1&(2|!3)']),
  ...[
    ['isbn13', '978-0-393-04002-9'],
    ['isbn', '0-393-04002-X'],
    ['ean13', '9780393040029'],
    ['issn', '1436-4522'],
    ['upc', '220356483481'],
  ].map(([type, value]) => scalar('string', type, [value])),
  scalar('string', 'mood', ['sad', `it's "odd", {really}`, 'NULL', '', '🏔']),
  scalar('boolean', '"Flag"', ['true', 'false'], 'boolean'),
  scalar('decimal(12,3)', 'price', ['0', '999999999.999', '0.001'], 'numeric'),
  scalar('decimal(12,3)', 'dear_price', ['100.001', '999999999.999'], 'numeric'),
  scalar('string', 'short_text', ['', 'twenty characters 20']),
  scalar('long', '"bıgınt"', ['-9223372036854775808', '1'], 'bigint'),
  json('some_days', ['{}', '{2024-02-29,NULL,infinity}', '{"0044-03-15 BC",10000-01-01}']),
  json('a_row', ['(1,x,)', sql('row(null,null,null)::inner_row')]),
  json('inner_row', [
    '(1,"a ""quoted"", \\\\ text","2024-01-01 00:00:00.000001+00")',
    '(,,)',
    '(,"",infinity)',
    '(0,NULL,"0001-01-01 00:00:00+00 BC")',
  ]),
  json('xml_row', ['("text only","{<a/>,text}")', '("<a b=""c""/>",)']),
  json('outer_row', [
    sql(`row(9007199254740993, row(1, 'b', null), '{{1,2},{3,null}}', 'NaN', 'NaN', '\\x00ff', 'ok')::outer_row`),
    sql(`row(1, null, '{}', '-0', 1.10, null, '')::outer_row`),
    sql(`row(1, row(null, null, null), null, 'Infinity', 1e-30, '', 'it''s "odd", {really}')::outer_row`),
    '(,,,,,,)',
  ]),
  json('int[]', ['{}', '{1,NULL,-2147483648}', '{{1,2},{3,4}}', '{{{1},{2}}}', '{NULL}']),
  json('bigint[]', ['{9223372036854775807,-9223372036854775808,9007199254740993}']),
  json('text[]', ['{}', '{"",NULL,"NULL"," ","a,b","\\"q\\"","\\\\","🏔"}', '{"[0:1]={a,b}","!"}']),
  json('varchar(5)[]', ['{abc,NULL}']),
  json('char(3)[]', ['{a,"b c",abc}']),
  json('numeric(10,2)[]', ['{1.10,NULL,NaN}']),
  json('numeric[]', ['{1.10,1e-400,Infinity,123456789012345678901234567890.000}']),
  json('real[]', ['{0.1,NaN,Infinity,-0,1e-45}']),
  json('double precision[]', ['{0.1,NaN,-Infinity,-0,5e-324}']),
  json('boolean[]', ['{t,f,NULL}']),
  json('date[]', ['{infinity,-infinity,"0001-01-01 BC",10000-01-01}']),
  json('timestamp[]', ['{infinity,"294276-12-31 23:59:59.999999","4714-11-24 00:00:00 BC"}']),
  json('timestamptz[]', ['{infinity,"294276-12-31 23:59:59.999999+00","2024-01-01 00:00:00.000001+00"}']),
  json('time[]', ['{24:00:00,00:00:00.000001}']),
  json('interval[]', ['{"1 mon -1 day",NULL,"-00:00:00.000001"}', sql(`'{infinity}'`, 17)]),
  json('uuid[]', ['{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}']),
  json('bytea[]', ['{"\\\\x00ff",NULL,""}']),
  json('json[]', ['{"{\\"a\\": 1}","[1]"}']),
  json('jsonb[]', ['{"{\\"a\\": 1}","\\"s\\""}']),
  json('inet[]', ['{10.0.0.1/8,::1}']),
  json('point[]', ['{"(1,2)","(0.1,NaN)"}']),
  json('box[]', ['{(1,1),(0,0);(3,3),(2,2)}']),
  json('mood[]', ['{sad,"it\'s \\"odd\\", {really}","NULL",""}']),
  json('price[]', ['{0.001,NULL}']),
  json('citext[]', ['{Ab,NULL}']),
  json('money[]', ['{12.34,-0.01}']),
  json('inner_row[]', [sql(`array[row(1, 'a', null)::inner_row, null, row(null, null, null)]`)]),
  json('int4range[]', ['{"[1,5)",empty,"(,)"}']),
  json('daterange[]', ['{"[2024-12-31,2025-02-01)"}']),
  json('tstzrange[]', ['{"[2024-12-31 00:00:00.000001+00,)"}']),
  json('interval[]', ['{"1 mon -1 day 00:00:00.000001"}']),
  range('int4range', 'int', ['[1,5)', '(,)', 'empty', '[1,)', '(,5)', '(1,3]']),
  range('int8range', 'bigint', ['[9007199254740993,9223372036854775807)']),
  range('numrange', 'numeric', ['[1.10,1.1000]', '(1.1,NaN)', '[-Infinity,Infinity)', '(,1e-30]']),
  range('tsrange', 'timestamp', [
    '["2024-01-01 00:00:00.000001",infinity)',
    '["2024-01-01",infinity]',
    '(,"0044-03-15 BC")',
  ]),
  range('tstzrange', 'timestamptz', [
    '["2024-01-01 00:00:00.000001+00",)',
    '["294276-12-31 23:59:59+00",infinity]',
    '(-infinity,infinity)',
  ]),
  range('daterange', 'date', ['[2024-01-01,2024-12-31]', '[-infinity,infinity]', 'empty']),
  range('text_range', 'text', ['["a ""b""","🏔"]', '("",NULL)', '(,)']),
  range('float_range', 'float8', ['[0.1,NaN]', '[-0,Infinity)']),
  multirange('int4multirange', 'int4range', 'int', ['{}', '{[1,5),[7,)}', '{(,)}']),
  multirange('datemultirange', 'daterange', 'date', ['{}', '{[2024-01-01,2024-02-01),[2025-01-01,infinity]}']),
  multirange('tstzmultirange', 'tstzrange', 'timestamptz', ['{(,"2024-01-01 00:00:00.000001+00"),["2025-01-01+00",)}']),
  scalar('date', 'date', DATES),
  scalar('timestamp_ntz', 'timestamp', STAMPS),
  scalar(
    'timestamp_ntz',
    'timestamp(0)',
    STAMPS.filter((v) => v !== '9999-12-31 23:59:59.999999'),
    'timestamp',
  ),
  scalar(
    'timestamp',
    'timestamptz',
    STAMPS.map((v) => `${v}+00`),
  ),
  scalar(
    'timestamp',
    'timestamptz(3)',
    ['2024-02-29 12:00:00.123456+05:30', '1969-12-31 23:59:59.999+00'],
    'timestamptz',
  ),
  scalar('string', 'time', ['00:00:00', '24:00:00', '23:59:59.999999', '12:34:56.1']),
  scalar('string', 'time(0)', ['23:59:59.6', '01:02:03'], 'time'),
  scalar('string', 'timetz', [
    '00:00:00+00',
    '24:00:00-15:59:59',
    '23:59:59.999999+15:59',
    '12:34:56.1+05:30',
    '01:02:03-00:00:01',
  ]),
  scalar('string', 'interval', [
    '0',
    '1 year -2 mons +3 days -04:05:06.000007',
    sql(`'infinity'`, 17),
    sql(`'-infinity'`, 17),
    '178000000 years',
    '-0.000001 s',
  ]),
  scalar('string', 'interval day to second(3)', ['3 days 04:05:06.789'], 'interval'),
  scalar('string', 'bit(5)', ['00000', '10101'], 'varbit'),
  scalar('string', 'varbit', ['', '1', '10101010101010101']),
  scalar('string', 'inet', ['10.0.0.1', '10.0.0.1/8', '::1', 'fe80::1/64', '::ffff:1.2.3.4']),
  scalar('string', 'cidr', ['10.0.0.0/8', '10.0.0.1/32', '::/0']),
  scalar('string', 'macaddr', ['08:00:2b:01:02:03']),
  scalar('string', 'macaddr8', ['08:00:2b:01:02:03:04:05']),
  scalar('string', 'point', [
    '(0.1,-0)',
    '(NaN,Infinity)',
    '(0.1234567890123456,-123456789.12345678)',
    '(1e-300,1e300)',
  ]),
  scalar('string', 'line', ['{1,-1,0.1}']),
  scalar('string', 'lseg', ['[(0,0),(1,0.1)]']),
  scalar('string', 'box', ['(1,1),(0,0.1)']),
  scalar('string', 'path', ['[(0,0),(1,0.1)]', '((0,0),(1,1))']),
  scalar('string', 'polygon', ['((0,0),(1,1),(1,0.1))']),
  scalar('string', 'circle', ['<(0.1,0),1e-5>']),
  scalar('string', 'tsvector', [`'a':1A 'it''s':2,3B '\\\\':4`, '']),
  scalar('string', 'tsquery', [`'a' & !'b' <2> 'c':*A`, '']),
  scalar('string', 'pg_lsn', ['0/0', 'FFFFFFFF/FFFFFFFF']),
  scalar('string', 'tid', ['(0,1)', '(4294967295,65535)']),
  scalar('string', 'regclass', ['pg_class', 'thing', 'thing_pkey']),
  scalar('string', 'regtype', ['integer', 'mood']),
  scalar('string', 'regproc', ['now']),
  scalar('string', 'regprocedure', ['abs(integer)']),
  scalar('string', 'regoperator', ['*(integer,integer)']),
  scalar('string', 'regnamespace', ['public']),
  scalar('string', 'regconfig', ['english']),
  scalar('string', 'txid_snapshot', ['10:20:10,14,15']),
  scalar('string', 'pg_snapshot', ['10:20:10,14,15']),
  scalar('string', 'int2vector', ['1 2 3', '']),
  scalar('string', 'oidvector', ['1 4294967295']),
  scalar('string', 'refcursor', ['a cursor']),
  scalar('string', 'aclitem', ['=r/postgres']),
];

const MAJOR = inject('postgresMajor');

/** Those that the server at hand has. */
export const TYPE_CASES: TypeCase[] = ALL_TYPE_CASES.filter(({ since = 0 }) => since <= MAJOR).map((each) => ({
  ...each,
  values: each.values.filter((value) => typeof value === 'string' || (value.since ?? 0) <= MAJOR),
}));

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

function valueSql(value: Value | undefined, type: string): string {
  if (value === undefined) return 'null';
  return typeof value === 'string' ? `${quoted(value)}::${type}` : `(${value.sql})::${type}`;
}

/** Column `c<i>` for the i-th case, one value a row, NULL where a case has no more; the last row is NULL throughout. */
export function typesTable(name: string): { create: string; insert: string[] } {
  const rows = Math.max(...TYPE_CASES.map((c) => c.values.length)) + 1;
  const columns = TYPE_CASES.map(({ type }, i) => `c${i} ${type}`);
  return {
    create: `create table ${name} (id bigint primary key, ${columns.join(', ')})`,
    insert: Array.from(
      { length: rows },
      (_, row) =>
        `insert into ${name} values (${row}, ${TYPE_CASES.map(({ values, type }) => valueSql(values[row], type)).join(', ')})`,
    ),
  };
}
