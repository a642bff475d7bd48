import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createExporter, type Exporter } from '../../support/exporter.ts';
import { readWithDuckdb, readWithHyparquet, readWithPyarrow } from '../../support/parquet-readers.ts';
import type { TextColumns } from '../../support/parquet-text.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { pythonAvailable } from '../../support/python.ts';

/** Type, pin, and values with what the lake then has. */
const PINS: [type: string, pin: string, values: [source: string, lake: string | null][]][] = [
  [
    'smallint',
    'integer',
    [
      ['-32768', '-32768'],
      ['32767', '32767'],
    ],
  ],
  [
    'smallint',
    'long',
    [
      ['-32768', '-32768'],
      ['0', '0'],
    ],
  ],
  [
    'integer',
    'long',
    [
      ['-2147483648', '-2147483648'],
      ['-1', '-1'],
      ['2147483647', '2147483647'],
    ],
  ],
  ['integer', 'string', [['-7', '-7']]],
  ['oid', 'long', [['4294967295', '4294967295']]],
  ['bigint', 'decimal(38,2)', [['-9223372036854775808', '-9223372036854775808.00']]],
  ['smallint', 'decimal(5,0)', [['-32768', '-32768']]],
  ['integer', 'decimal(12,2)', [['2147483647', '2147483647.00']]],
  ['xid8', 'decimal(30,0)', [['18446744073709551615', '18446744073709551615']]],
  ['money', 'decimal(38,4)', [['-92233720368547758.08', '-92233720368547758.0800']]],
  ['money', 'string', [['-12.34', '-$12.34']]],
  [
    'real',
    'double',
    [
      ['0.1', '0.10000000149011612'],
      ['NaN', 'NaN'],
      ['-0', '-0'],
      ['Infinity', 'Infinity'],
    ],
  ],
  [
    'real',
    'string',
    [
      ['0.1', '0.1'],
      ['1e-45', '1e-45'],
    ],
  ],
  [
    'double precision',
    'string',
    [
      ['0.1', '0.1'],
      ['NaN', 'NaN'],
      ['-0', '-0'],
      ['1e300', '1e+300'],
    ],
  ],
  [
    'numeric',
    'decimal(38,18)',
    [
      ['1.000000000000000001', '1.000000000000000001'],
      ['-0.1000', '-0.100000000000000000'],
    ],
  ],
  ['numeric(10,2)', 'Decimal( 20 , 4 )', [['12345678.90', '12345678.9000']]],
  [
    'numeric(10,2)',
    'string',
    [
      ['1.50', '1.50'],
      ['NaN', 'NaN'],
    ],
  ],
  ['numeric(40,0)', 'decimal(38,0)', [['9'.repeat(38), '9'.repeat(38)].map(String) as [string, string]]],
  [
    'boolean',
    'string',
    [
      ['true', 't'],
      ['false', 'f'],
    ],
  ],
  [
    'date',
    'string',
    [
      ['infinity', 'infinity'],
      ['0044-03-15 BC', '0044-03-15 BC'],
      ['10000-01-01', '10000-01-01'],
    ],
  ],
  [
    'timestamptz',
    'string',
    [
      ['294276-12-31 23:59:59.999999+00', '294276-12-31 23:59:59.999999+00'],
      ['-infinity', '-infinity'],
    ],
  ],
  [
    'timestamp',
    'string',
    [
      ['4714-11-24 00:00:00 BC', '4714-11-24 00:00:00 BC'],
      ['2024-01-01', '2024-01-01 00:00:00'],
    ],
  ],
  ['time', 'string', [['24:00:00', '24:00:00.000000']]],
  ['bytea', 'string', [['\\x00ff', '\\x00ff']]],
  ['char(5)', 'string', [['ab', 'ab   ']]],
  ['inet', 'string', [['10.0.0.1', '10.0.0.1']]],
  ['jsonb', 'string', [['{"a": 1.10}', '{"a": 1.10}']]],
  [
    'pair',
    'string',
    [
      ['(1,"a b")', '{"a":1,"b":"a b"}'],
      ['(,)', '{"a":null,"b":null}'],
    ],
  ],
  ['pair_domain', 'string', [['(,)', '{"a":null,"b":null}']]],
  [
    'int[]',
    'array',
    [
      ['{}', '[]'],
      ['{1,NULL,-1}', '["1",null,"-1"]'],
      ['{NULL}', '[null]'],
    ],
  ],
  ['smallint[]', 'array', [['{-32768}', '["-32768"]']]],
  [
    'bigint[]',
    'array',
    [['{9223372036854775807,-9223372036854775808}', '["9223372036854775807","-9223372036854775808"]']],
  ],
  ['text[]', 'array', [['{"",NULL,"NULL","a,b","🏔"}', '["",null,"NULL","a,b","🏔"]']]],
  ['real[]', 'array', [['{NaN,-0,Infinity,0.5}', '["NaN","-0","Infinity","0.5"]']]],
  ['double precision[]', 'array', [['{NaN,-Infinity,5e-324}', '["NaN","-Infinity","5e-324"]']]],
  ['numeric(38,2)[]', 'array', [[`{${'9'.repeat(36)}.99,NULL}`, `["${'9'.repeat(36)}.99",null]`]]],
  ['numeric(9,2)[]', 'array', [['{-1.5,0}', '["-1.50","0.00"]']]],
  ['date[]', 'array', [['{0001-01-01,9999-12-31}', '["0001-01-01","9999-12-31"]']]],
  ['timestamptz[]', 'array', [['{2024-01-01 00:00:00.000001+00}', '["2024-01-01T00:00:00.000001Z"]']]],
  ['timestamp[]', 'array', [['{0001-01-01}', '["0001-01-01T00:00:00.000000"]']]],
  ['boolean[]', 'array', [['{t,f,NULL}', '["true","false",null]']]],
  ['uuid[]', 'array', [['{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]']]],
  ['bytea[]', 'array', [['{"\\\\x00ff",""}', '["\\\\x00ff","\\\\x"]']]],
  ['jsonb[]', 'array', [['{"{\\"a\\": 1}",null,"null"}', '["{\\"a\\": 1}",null,"null"]']]],
  ['json[]', 'array', [['{"{\\"a\\":  1}",null,"null"}', '["{\\"a\\":  1}",null,"null"]']]],
  ['char(3)[]', 'array', [['{a}', '["a  "]']]],
  ['time[]', 'array', [['{24:00:00}', '["24:00:00.000000"]']]],
  ['oid[]', 'array', [['{4294967295}', '["4294967295"]']]],
  ['mood[]', 'array', [['{"so so",NULL}', '["so so",null]']]],
  ['price[]', 'array', [['{1.5}', '["1.500"]']]],
  ['prices', 'array', [['{1.5,NULL}', '["1.500",null]']]],
];

let db: TestDatabase;
let exporter: Exporter;
let file: string;

beforeAll(async () => {
  db = await createDatabase();
  await db.query(`create type pair as (a int, b text); create domain pair_domain as pair; create type mood as enum ('so so');
    create domain price as numeric(10,3); create domain prices as price[]`);
  await db.query(`create table t (id int primary key, ${PINS.map(([type], i) => `c${i} ${type}`)})`);
  const rows = Math.max(...PINS.map(([, , values]) => values.length)) + 1;
  for (let row = 0; row < rows; row++) {
    const values = PINS.map(([type], i) => `$${i + 1}::text::${type}`);
    await db.query(
      `insert into t values (${row}, ${values})`,
      PINS.map(([, , v]) => v[row]?.[0] ?? null),
    );
  }
  exporter = await createExporter(db.url);
  const columns = Object.fromEntries(PINS.map(([, type], i) => [`c${i}`, { type }]));
  const outcome = await exporter.run('t', { settings: { columns } });
  if (outcome.state !== 'committed') throw new Error('nothing was exported');
  file = path.join(exporter.lakeDir, outcome.files[0].key);
});

afterAll(async () => {
  await exporter?.[Symbol.asyncDispose]();
  await db?.[Symbol.asyncDispose]();
});

const readers = [
  ['hyparquet', readWithHyparquet],
  ['DuckDB', readWithDuckdb],
  ...((await pythonAvailable()) ? [['pyarrow', readWithPyarrow] as const] : []),
] as const;

describe.each(readers)('as %s reads it', (_, reader) => {
  let read: TextColumns;
  beforeAll(async () => {
    read = await reader(file);
  });

  test.each(PINS.map(([type, pin], i) => [type, pin, i] as const))('%s as %s', (_type, _pin, i) => {
    expect(read[`c${i}`].filter((value) => value !== null)).toEqual(PINS[i][2].map(([, lake]) => lake));
  });
});

test.each([
  ['integer', 'short'],
  ['bigint', 'integer'],
  ['text', 'long'],
  ['numeric(10,2)', 'decimal(39,2)'],
  ['numeric(10,2)', 'decimal(2,3)'],
  ['double precision', 'decimal(10,2)'],
  ['oid', 'decimal(10,0)'],
  ['integer', 'array'],
  ['inet[]', 'array'],
  ['pair[]', 'array'],
  ['text', 'varchar'],
  ['timestamp', 'timestamp'],
])('%s cannot be pinned to %s', async (type, pin) => {
  await db.query(`drop table if exists u; create table u (id int primary key, c ${type})`);
  await expect(exporter.run('u', { settings: { columns: { c: { type: pin } } } })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining(`cannot be pinned to ${pin}`),
    place: { table: 'public.u', column: 'c' },
  });
});
