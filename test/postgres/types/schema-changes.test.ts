import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createExporter, type Exporter, type RunOptions } from '../../support/exporter.ts';
import { queryDuckdb } from '../../support/parquet-readers.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { pythonAvailable, runPython } from '../../support/python.ts';

let db: TestDatabase;
let exporter: Exporter;
let table: string;
let tables = 0;
const python = await pythonAvailable();

beforeAll(async () => {
  db = await createDatabase();
  exporter = await createExporter(db.url);
});
beforeEach(() => {
  table = `t${++tables}`;
});
afterAll(async () => {
  await exporter[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

/** A table with one row whose column `c` has this value, exported. */
async function begin(type: string, value: string, settings: RunOptions['settings'] = {}): Promise<void> {
  await db.query(`create table ${table} (id int primary key, c ${type}); insert into ${table} values (1, ${value})`);
  expect(await exporter.run(table, { settings })).toMatchObject({ rows: 1n });
}

/** Alters the table, adds row 2 and exports again. An ALTER that rewrites the table makes every row a new version. */
async function goOn(alter: string, value: string, settings: RunOptions['settings'] = {}) {
  await db.query(`alter table ${table} ${alter}; insert into ${table} (id, c) values (2, ${value})`);
  return exporter.run(table, { settings });
}

/** Column `c` by id of the newest version, read by name over all files. */
async function lake(column = 'c'): Promise<(string | null)[]> {
  const read = await queryDuckdb(`select id, arg_max("${column}"::varchar, _tidemark_run) as c, count(*) as versions
    from read_parquet('${exporter.lakeDir}/raw/${table}/*/*.parquet', union_by_name = true) group by id order by id`);
  return read.c;
}

/** Columns by id over all files of the table, as pyarrow's dataset reads them by name. */
async function dataset(columns: string[]): Promise<Record<string, string[]>> {
  const script = `
import json, sys, glob
import pyarrow as pa, pyarrow.parquet as pq, pyarrow.dataset as ds
asked = json.load(sys.stdin)
files = sorted(glob.glob(asked['folder'] + '/*/*.parquet'))
wanted = pa.unify_schemas([pq.read_schema(f).remove_metadata() for f in files], promote_options='permissive')
table = ds.dataset(files, schema=wanted).to_table().sort_by('id')
print(json.dumps({c: [str(v) for v in table[c].to_pylist()] for c in asked['columns']}))`;
  const folder = `${exporter.lakeDir}/raw/${table}`;
  return (await runPython(script, { folder, columns })) as Record<string, string[]>;
}

describe('what goes on', () => {
  test.each([
    ['varchar(50)', 'text', `'a'`, `repeat('x', 60)`, ['a', 'x'.repeat(60)]],
    ['text', 'varchar(50)', `'a'`, `'b'`, ['a', 'b']],
    ['timestamptz', 'timestamptz(3)', `'2024-01-01+00'`, `'2024-01-02+00'`, ['2024-01-01', '2024-01-02']],
    ['json', 'jsonb', `'{"a":1}'`, `'{"a": 2}'`, ['{"a": 1}', '{"a": 2}']],
    ['smallint', 'integer', '32767', '2147483647', ['32767', '2147483647']],
    ['smallint', 'bigint', '-32768', '9223372036854775807', ['-32768', '9223372036854775807']],
    ['integer', 'bigint', '-2147483648', '-9223372036854775808', ['-2147483648', '-9223372036854775808']],
    ['real', 'double precision', '0.5', '1e300', ['0.5', '1e+300']],
    ['numeric(4,2)', 'numeric(9,2)', '99.99', '9999999.99', ['99.99', '9999999.99']],
    ['numeric(4,2)', 'numeric(18,2)', '-99.99', '9999999999999999.99', ['-99.99', '9999999999999999.99']],
    ['numeric(18,2)', 'numeric(38,2)', '0.01', `'9e35'`, ['0.01', `9${'0'.repeat(35)}.00`]],
  ])('%s to %s, read by name over both files', async (before, after, first, second, expected) => {
    await begin(before, first);
    const outcome = await goOn(`alter c type ${after} using c::${after}`, second);
    expect(outcome).toMatchObject({ state: 'committed' });
    expect((await lake()).map((value) => value?.replace(/T00:00:00.*/, '').replace(/ 00:00:00\+00/, ''))).toEqual(
      expected,
    );
  });

  test.skipIf(!python)("pyarrow's dataset reads the widened columns exactly", async () => {
    await db.query(`create table ${table} (id int primary key, c smallint, i int, d real, n numeric(4,2), w numeric(18,2), t varchar(5));
      insert into ${table} values (1, -32768, -2147483648, 0.5, 99.99, -0.01, 'short')`);
    await exporter.run(table);
    // Without row 1, whose new version the rewriting ALTER would bring along.
    await db.query(`truncate ${table}`);
    await goOn(
      `alter c type bigint, alter i type bigint, alter d type float8, alter n type numeric(20,2), alter w type numeric(38,2),
        alter t type text, add e text`,
      '9223372036854775807',
    );
    expect(await dataset(['c', 'i', 'd', 'n', 'w', 't', 'e'])).toEqual({
      c: ['-32768', '9223372036854775807'],
      i: ['-2147483648', 'None'],
      d: ['0.5', 'None'],
      n: ['99.99', 'None'],
      w: ['-0.01', 'None'],
      t: ['short', 'None'],
      e: ['None', 'None'],
    });
  });

  test('an added column: rows of before have none', async () => {
    await begin('int', '1');
    await goOn(`add "new" text default 'given'`, '2');
    expect(await lake('new')).toEqual([null, 'given']);
  });

  test('a dropped column: rows of after have none', async () => {
    await begin('int', '1');
    await db.query(`alter table ${table} drop c; insert into ${table} values (2)`);
    expect(await exporter.run(table)).toMatchObject({ rows: 1n });
    expect(await lake()).toEqual(['1', null]);
  });

  test('a renamed column is a dropped and an added one', async () => {
    await begin('int', '1');
    await db.query(`alter table ${table} rename c to other; insert into ${table} values (2, 2)`);
    expect(await exporter.run(table)).toMatchObject({ rows: 1n });
    expect(await lake()).toEqual(['1', null]);
    expect(await lake('other')).toEqual([null, '2']);
  });

  test('a column dropped and made anew with the same type; one that moves to another place', async () => {
    await begin('int', '1');
    await db.query(`alter table ${table} drop c, add x text, add c int; insert into ${table} (id, c) values (2, 2)`);
    expect(await exporter.run(table)).toMatchObject({ state: 'committed' });
    expect((await lake()).at(-1)).toBe('2');
  });

  test('a change of NOT NULL, default or key is none', async () => {
    await begin('int', '1');
    const outcome = await goOn(
      `alter c set default 5, alter c set not null, drop constraint ${table}_pkey,
      add primary key (id, c)`,
      '2',
    );
    expect(outcome).toMatchObject({ rows: 1n });
  });

  test('a change in the middle of a run that has begun is seen by that run', async () => {
    await begin('int', '1');
    const step = async (name: string) => {
      if (name === 'looked')
        await db.query(`alter table ${table} add late text; insert into ${table} values (2, 2, 'late')`);
    };
    expect(await exporter.run(table, { step })).toMatchObject({ rows: 1n });
    expect(await lake('late')).toEqual([null, 'late']);
  });
});

/** Before, after, USING, the pin that is offered, a value of before and the row of after with its value in the lake under the pin. */
const STOPS: [before: string, after: string, pin: string | null, first: string, second: string, kept?: string][] = [
  ['bigint', 'integer', 'long', '1', '2', '2'],
  ['integer', 'smallint', 'integer', '1', '2', '2'],
  ['double precision', 'real', 'double', '0.5', '0.25', '0.25'],
  ['numeric(10,2)', 'numeric(8,2)', 'decimal(10,2)', '1.5', '2.25', '2.25'],
  ['numeric(10,2)', 'numeric(12,4)', 'decimal(10,2)', '1.5', '2.25', '2.25'],
  ['numeric(10,2)', 'numeric', 'decimal(10,2)', '1.5', '2.25', '2.25'],
  ['numeric(10,0)', 'bigint', 'decimal(10,0)', '1', '2', '2'],
  ['text', 'integer', 'string', `'1'`, '2', '2'],
  ['text', 'timestamptz', 'string', `'2024-01-01+00'`, `'2024-01-02+00'`, '2024-01-02 00:00:00+00'],
  ['uuid', 'bytea', 'string', `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`, `'\\x00'`, '\\x00'],
  ['text', 'boolean', 'string', `'t'`, 'false', 'f'],
  ['integer', 'text', null, '1', `'two'`],
  ['timestamp', 'timestamptz', null, `'2024-01-01'`, `'2024-01-02+00'`],
  ['date', 'timestamp', null, `'2024-01-01'`, `'2024-01-02'`],
  ['boolean', 'integer', null, 'true', '2'],
  ['bigint', 'numeric(10,0)', null, '1', '2'],
];

describe('what stops with SCHEMA_CHANGED', () => {
  test.each(STOPS)('%s to %s', async (before, after, pin, first, second, kept) => {
    await begin(before, first);
    const mark = await exporter.mark(table);
    const using = `c::text::${after === 'bytea' ? 'bytea' : after}`;
    const special = before === 'boolean' ? 'c::int' : using;
    const error = await goOn(`alter c type ${after} using ${special}`, second).catch((caught) => caught);
    expect(error).toMatchObject({ code: 'SCHEMA_CHANGED', place: { table: `public.${table}`, column: 'c' } });
    expect(error.hint).toContain('another `as:` and one `export --full`');
    if (pin) expect(error.hint).toContain(`columns.c.type: "${pin}"`);
    else expect(error.hint).not.toContain('pin it');
    expect(await exporter.mark(table)).toEqual(mark);
    expect(await lake()).toHaveLength(1);
    if (!pin) return;
    const pinned = { columns: { c: { type: pin } } };
    expect(await exporter.run(table, { settings: pinned })).toMatchObject({ state: 'committed' });
    expect((await lake()).at(-1)?.replace(/\.00$/, '')).toBe(kept);
  });

  test('a column that would get another name in the lake, where its old one now belongs to another column', async () => {
    await db.query(`create table ${table} (id int primary key, "a b" int); insert into ${table} values (1, 1)`);
    await exporter.run(table);
    await db.query(`alter table ${table} add a_b int; insert into ${table} values (2, 2, 3)`);
    await expect(exporter.run(table)).rejects.toMatchObject({
      code: 'SCHEMA_CHANGED',
      message: 'the column was a_b in the lake and would be a_b_2 now',
      place: { column: 'a b' },
      hint: expect.stringContaining('exclude'),
    });
    await exporter.run(table, { settings: { exclude: ['a_b'] } });
    expect(await lake('a_b')).toEqual(['1', '2']);
  });

  test('an array pinned to a list whose elements change', async () => {
    const settings = { columns: { c: { type: 'array' } } };
    await begin('int[]', `'{1}'`, settings);
    const changed = goOn('alter c type text[]', `'{a}'`, settings);
    await expect(changed).rejects.toMatchObject({ code: 'SCHEMA_CHANGED', place: { column: 'c' } });
  });

  test('a retype to something wider and back: once it was wide, it stays so', async () => {
    await begin('integer', '1');
    await goOn('alter c type bigint', '2');
    await db.query(`alter table ${table} alter c type integer; insert into ${table} values (3, 3)`);
    await expect(exporter.run(table)).rejects.toMatchObject({ code: 'SCHEMA_CHANGED' });
    await exporter.run(table, { settings: { columns: { c: { type: 'long' } } } });
    expect(await lake()).toEqual(['1', '2', '3']);
  });

  test('a retype to something wider and back before the next run is no change', async () => {
    await begin('integer', '1');
    await db.query(`alter table ${table} alter c type bigint; alter table ${table} alter c type integer`);
    await goOn('alter c type integer', '2');
    expect(await lake()).toEqual(['1', '2']);
  });

  test('a pin that cuts digits off: what does not fit meets the policy', async () => {
    await begin('numeric(10,2)', '1.50');
    await db.query(
      `alter table ${table} alter c type numeric(12,4); insert into ${table} values (2, 2.2500), (3, 2.2501)`,
    );
    const type = 'decimal(10,2)';
    await expect(exporter.run(table, { settings: { columns: { c: { type } } } })).rejects.toMatchObject({
      code: 'VALUE_UNFIT',
      place: { key: 'id=3' },
    });
    const columns = { c: { type, on_unfit: 'text' as const } };
    expect(await exporter.run(table, { settings: { columns } })).toMatchObject({ unfit: { c: { text: 1 } } });
    expect(await lake()).toEqual(['1.50', '2.25', null]);
    expect(await lake('c__text')).toEqual([null, null, '2.2501']);
  });
});
