/** One file of every kind, read by every reader at hand; statistics as they are used by those who skip row groups. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
