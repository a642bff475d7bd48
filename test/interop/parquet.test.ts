/** One file of every kind, read by every reader at hand; statistics as they are used by those who skip row groups. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ParquetColumn } from '../../src/parquet/schema.ts';
import {
  queryDuckdb,
  readWithDuckdb,
  readWithHyparquet,
  readWithParquetjs,
  readWithPyarrow,
} from '../support/parquet-readers.ts';
import { flatSample, listSample, longSample, type Sample } from '../support/parquet-samples.ts';
import type { TextColumns } from '../support/parquet-text.ts';
import { type Cell, cellText, column, TYPES, writeParquet } from '../support/parquet-writer.ts';
import { pythonAvailable, runPython } from '../support/python.ts';

const python = await pythonAvailable();

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parquet-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function expected({ columns, cells }: Sample): TextColumns {
  return Object.fromEntries(columns.map((c) => [c.name, cells[c.name].map((cell) => cellText(c, cell))]));
}

async function encodingsOf(path: string): Promise<Set<string>> {
  const { row_groups } = await parquetMetadataAsync(await asyncBufferFromFile(path));
  return new Set(row_groups.flatMap((g) => g.columns.flatMap((c) => c.meta_data!.encodings as string[])));
}

const SAMPLES = { flat: flatSample, list: listSample, long: longSample };
const CODECS = ['zstd', 'gzip', 'none'] as const;
const CASES = Object.keys(SAMPLES).flatMap((kind) =>
  CODECS.map((codec) => [kind as keyof typeof SAMPLES, codec] as const),
);

describe.each(CASES)('the %s sample with %s', (kind, codec) => {
  const sample = SAMPLES[kind]();
  let path: string;
  beforeAll(async () => {
    path = join(folder, `${kind}-${codec}.parquet`);
    await writeParquet(path, sample.columns, sample.cells, {
      codec,
      rowsPerGroup: kind === 'long' ? 1100 : 4,
      pageBytes: 4096,
    });
  });

  test('hyparquet reads what was written', async () => {
    expect(await readWithHyparquet(path)).toEqual(expected(sample));
  });
  test('DuckDB reads what was written', async () => {
    expect(await readWithDuckdb(path)).toEqual(expected(sample));
  });
  test.skipIf(!python)('pyarrow reads what was written', async () => {
    expect(await readWithPyarrow(path)).toEqual(expected(sample));
  });
});

test('the long sample brings every encoding into play', async () => {
  const path = join(folder, 'encodings.parquet');
  const { columns, cells } = longSample();
  await writeParquet(path, columns, cells);
  expect(await encodingsOf(path)).toEqual(new Set(['PLAIN', 'RLE', 'RLE_DICTIONARY', 'DELTA_BINARY_PACKED']));
});

test('types carry the annotations of old readers too', async () => {
  const path = join(folder, 'converted.parquet');
  const { columns, cells } = flatSample();
  await writeParquet(path, columns, cells);
  const { schema } = await parquetMetadataAsync(await asyncBufferFromFile(path));
  expect(Object.fromEntries(schema.slice(1).map((e) => [e.name, e.converted_type]))).toMatchObject({
    short: 'INT_16',
    string: 'UTF8',
    date: 'DATE',
    instant: 'TIMESTAMP_MICROS',
    local: 'TIMESTAMP_MICROS',
    decimal9: 'DECIMAL',
    decimal18: 'DECIMAL',
    decimal38: 'DECIMAL',
  });
});

test.each(['flat', 'list', 'long'] as const)(
  'parquetjs-lite reads PLAIN columns without decimals (%s)',
  async (kind) => {
    const path = join(folder, `parquetjs-${kind}.parquet`);
    const { columns, cells } = SAMPLES[kind]();
    // It cuts timestamps to milliseconds, and rounds 64-bit integers beyond those of a double.
    const readable = columns.filter(({ name }) => !/decimal|instant|local|long|steps/.test(name));
    await writeParquet(path, readable, cells, { codec: 'gzip', plainOnly: true });
    expect(await readWithParquetjs(path)).toEqual(expected({ columns: readable, cells }));
  },
);

test.skipIf(!python)('pyarrow sees the types that were meant, and the metadata', async () => {
  const path = join(folder, 'types.parquet');
  const { columns, cells } = flatSample();
  const lists = [column('words', TYPES.string, { list: true })];
  const all = { ...cells, words: Array<Cell>(7).fill(['a']) };
  await writeParquet(path, [...columns, ...lists], all, { metadata: { 'tidemark.run': '7', 'ključ 🗝': 'vrednost' } });
  const seen = await runPython(
    `
import json, sys, pyarrow.parquet as pq
f = pq.ParquetFile(json.load(sys.stdin))
json.dump({
  'types': {x.name: str(x.type) for x in f.schema_arrow},
  'nullable': all(x.nullable for x in f.schema_arrow),
  'by': f.metadata.created_by,
  'metadata': {k.decode(): v.decode() for k, v in f.metadata.metadata.items()},
  'rows': f.metadata.num_rows,
  'short': str(f.schema.column(1).logical_type),
}, sys.stdout)`,
    path,
  );
  expect(seen).toEqual({
    types: {
      boolean: 'bool',
      short: 'int16',
      integer: 'int32',
      long: 'int64',
      float: 'float',
      double: 'double',
      string: 'string',
      binary: 'binary',
      date: 'date32[day]',
      instant: 'timestamp[us, tz=UTC]',
      local: 'timestamp[us]',
      decimal9: 'decimal128(9, 2)',
      decimal18: 'decimal128(18, 4)',
      decimal38: 'decimal128(38, 10)',
      decimal20: 'decimal128(20, 0)',
      words: 'list<element: string>',
    },
    nullable: true,
    by: 'tidemark version 0.0.0 (build 0)',
    metadata: { 'tidemark.run': '7', 'ključ 🗝': 'vrednost' },
    rows: 7,
    short: 'Int(bitWidth=16, isSigned=true)',
  });
});

test('DuckDB sees the types that were meant', async () => {
  const path = join(folder, 'types-duckdb.parquet');
  const { columns, cells } = flatSample();
  await writeParquet(path, columns, cells);
  const { column_name, column_type } = await queryDuckdb(`describe select * from '${path}'`);
  expect(Object.fromEntries(column_name.map((name, i) => [name, column_type[i]]))).toEqual({
    boolean: 'BOOLEAN',
    short: 'SMALLINT',
    integer: 'INTEGER',
    long: 'BIGINT',
    float: 'FLOAT',
    double: 'DOUBLE',
    string: 'VARCHAR',
    binary: 'BLOB',
    date: 'DATE',
    instant: 'TIMESTAMP WITH TIME ZONE',
    local: 'TIMESTAMP',
    decimal9: 'DECIMAL(9,2)',
    decimal18: 'DECIMAL(18,4)',
    decimal38: 'DECIMAL(38,10)',
    decimal20: 'DECIMAL(20,0)',
  });
});

describe('statistics', () => {
  const long = 'x'.repeat(63);
  const columns: ParquetColumn[] = [
    ...flatSample().columns,
    column('prefix', TYPES.string),
    column('nan', TYPES.double),
    column('silent', TYPES.integer, { stats: false }),
    column('empty', TYPES.integer),
  ];
  const cells: Record<string, Cell[]> = {
    ...flatSample().cells,
    prefix: [`${long}žy`, `${long}ža`, null, `${long}žz`, `${long}ž`, `${long}žb`, `${long}žc`],
    nan: [1, Number.NaN, null, 2, 3, 4, 5],
    silent: [1, 2, 3, 4, 5, 6, 7],
    empty: [null, null, null, null, null, null, null],
  };
  let path: string;
  beforeAll(async () => {
    path = join(folder, 'statistics.parquet');
    await writeParquet(path, columns, cells);
  });

  test.skipIf(!python)('pyarrow sees least, greatest and nulls', async () => {
    const seen = (await runPython(
      `
import json, sys, pyarrow as pa, pyarrow.parquet as pq
m = pq.ParquetFile(json.load(sys.stdin)).metadata.row_group(0)
out = {}
for i in range(m.num_columns):
    c = m.column(i); s = c.statistics
    try: ends = [str(s.min), str(s.max)] if s and s.has_min_max else [None, None]
    # pyarrow spells the bounds of decimals kept in integers only as they are stored.
    except pa.ArrowNotImplementedError: ends = [str(s.min_raw), str(s.max_raw)]
    out[c.path_in_schema] = None if s is None else [s.null_count, *ends]
json.dump(out, sys.stdout)`,
      path,
    )) as Record<string, unknown>;
    expect(seen).toEqual({
      boolean: [2, 'False', 'True'],
      short: [1, '-32768', '32767'],
      integer: [1, '-2147483648', '2147483647'],
      long: [1, '-9223372036854775808', '9223372036854775807'],
      float: [1, '-3.4028234663852886e+38', '3.4028234663852886e+38'],
      double: [1, '-inf', 'inf'],
      string: [1, '', '\u{10ffff}'],
      binary: [1, "b''", "b'\\xff'"],
      date: [1, '0001-01-01', '9999-12-31'],
      instant: [1, '0001-01-01 00:00:00+00:00', '9999-12-31 23:59:59.999999+00:00'],
      local: [1, '0001-01-01 00:00:00', '9999-12-31 23:59:59.999999'],
      decimal9: [1, '-999999999', '999999999'],
      decimal18: [1, '-999999999999999999', '999999999999999999'],
      decimal38: [1, '-9999999999999999999999999999.9999999999', '9999999999999999999999999999.9999999999'],
      decimal20: [1, '-99999999999999999999', '99999999999999999999'],
      prefix: [1, long, `${'x'.repeat(62)}y`],
      nan: [1, null, null],
      silent: null,
      empty: [7, null, null],
    });
  });

  test('shortened bounds say so, exact ones too', async () => {
    const { row_groups } = await parquetMetadataAsync(await asyncBufferFromFile(path));
    const statistics = (name: string) =>
      row_groups[0].columns.find((c) => c.meta_data?.path_in_schema[0] === name)?.meta_data?.statistics;
    expect(statistics('prefix')).toMatchObject({ is_min_value_exact: false, is_max_value_exact: false });
    expect(statistics('string')).toMatchObject({ is_min_value_exact: true, is_max_value_exact: true });
    expect(statistics('string')?.max, 'the deprecated bounds are wrong for strings').toBeUndefined();
  });
});

describe('filters that skip row groups find the rows at the edges', () => {
  // Four rows a group, so that most groups are skipped by most filters; each column's values are in its own order of rows.
  const columns = longSample().columns.filter(({ name }) => name !== 'boolean');
  const cells = longSample().cells;
  let path: string;
  beforeAll(async () => {
    path = join(folder, 'filters.parquet');
    const few = Object.fromEntries(columns.map((c) => [c.name, cells[c.name].slice(0, 40)]));
    await writeParquet(path, columns, few, { rowsPerGroup: 4 });
  });

  test('in DuckDB', async () => {
    for (const { name } of columns) {
      const counts = await queryDuckdb(`
        with t as materialized (select "${name}" v from '${path}'), b as (select min(v) lo, max(v) hi from t)
        select (select count(*) from t, b where v = lo)::int lo, (select count(*) from t, b where v = hi)::int hi from b`);
      const bounds = await queryDuckdb(`select min("${name}")::varchar lo, max("${name}")::varchar hi from '${path}'`);
      const quoted = (text: string | null) => `cast('${String(text).replaceAll("'", "''")}' as ${typeName(name)})`;
      for (const end of ['lo', 'hi'] as const) {
        const found = await queryDuckdb(
          `select count(*)::int n from '${path}' where "${name}" = ${quoted(bounds[end][0])}`,
        );
        expect([name, end, found.n[0]]).toEqual([name, end, counts[end][0]]);
        expect(Number(found.n[0])).toBeGreaterThan(0);
      }
    }
  });

  test.skipIf(!python)('in pyarrow', async () => {
    const wrong = await runPython(
      `
import json, sys, pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq, pyarrow.dataset as ds
path = json.load(sys.stdin)
table = pq.read_table(path)
wrong, tried = [], 0
for name in table.column_names:
    column = table[name]
    present = pc.unique(column.drop_null())
    for value in present:
        if pa.types.is_floating(value.type) and value.as_py() == 0: value = pa.scalar(0.0, value.type)
        expected = pc.sum(pc.equal(column, value)).as_py()
        found = ds.dataset(path).to_table(filter=ds.field(name) == value).num_rows
        rows = pq.read_table(path, filters=ds.field(name) >= value).num_rows
        least = pc.sum(pc.greater_equal(column, value)).as_py()
        tried += 1
        if found != expected or rows != least: wrong.append([name, str(value), expected, found, least, rows])
json.dump({'wrong': wrong, 'tried': tried}, sys.stdout)`,
      path,
    );
    expect(wrong).toEqual({ wrong: [], tried: expect.any(Number) });
    expect((wrong as { tried: number }).tried).toBeGreaterThan(100);
  });

  function typeName(name: string): string {
    if (name === 'key') return 'bigint';
    if (name === 'steps' || name === 'instant') return 'timestamptz';
    if (name === 'small') return 'integer';
    const names: Record<string, string> = {
      short: 'smallint',
      long: 'bigint',
      string: 'varchar',
      binary: 'blob',
      local: 'timestamp',
    };
    const type = columns.find((c) => c.name === name)!.type;
    if (type.logical.kind === 'decimal') return `decimal(${type.logical.precision}, ${type.logical.scale})`;
    return names[name] ?? name;
  }
});
