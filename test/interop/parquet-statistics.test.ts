/** Statistics as pyarrow sees them, and as DuckDB and pyarrow use them to skip row groups. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ParquetColumn } from '../../src/parquet/schema.ts';
import { queryDuckdb } from '../support/parquet-readers.ts';
import { flatSample, longSample } from '../support/parquet-samples.ts';
import { type Cell, column, TYPES, writeParquet } from '../support/parquet-writer.ts';
import { pythonAvailable, runPython } from '../support/python.ts';

const python = await pythonAvailable();

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parquet-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

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
