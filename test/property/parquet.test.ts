/** Whatever columns come, hyparquet and DuckDB read back exactly what went in. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ParquetColumn, ParquetType } from '../../src/parquet/schema.ts';
import { readWithDuckdb, readWithHyparquet } from '../support/parquet-readers.ts';
import {
  type Cell,
  cellText,
  column,
  TYPES,
  type Value,
  type WriteOptions,
  writeParquet,
} from '../support/parquet-writer.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parquet-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function anyValue(type: ParquetType): fc.Arbitrary<Value> {
  switch (type.physical) {
    case 'boolean':
      return fc.boolean();
    case 'int32':
      if (type.logical.kind === 'int') return fc.integer({ min: -32768, max: 32767 });
      if (type.logical.kind === 'decimal') return fc.integer({ min: -999_999_999, max: 999_999_999 });
      // DuckDB's dates end before those of 32 bits.
      if (type.logical.kind === 'date') return fc.integer({ min: -700_000, max: 2_900_000 });
      return fc.integer();
    case 'int64':
      if (type.logical.kind === 'decimal') return fc.bigInt({ min: 1n - 10n ** 18n, max: 10n ** 18n - 1n });
      if (type.logical.kind === 'timestamp') return fc.bigInt({ min: -(10n ** 17n), max: 25n * 10n ** 16n });
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case 'float':
      return fc.float();
    case 'double':
      return fc.double();
    case 'fixed': {
      const digits = BigInt(type.logical.kind === 'decimal' ? type.logical.precision : 1);
      return fc.bigInt({ min: 1n - 10n ** digits, max: 10n ** digits - 1n });
    }
    case 'bytes':
      return type.logical.kind === 'string'
        ? fc.string({ unit: 'binary', maxLength: 100 })
        : fc.uint8Array({ maxLength: 100 });
  }
}

/** All different; few different ones in any order; or, for integers, climbing by steps. */
function valuesOf(type: ParquetType, rows: number): fc.Arbitrary<Value[]> {
  const any = fc.array(anyValue(type), { minLength: rows, maxLength: rows });
  const few = fc
    .tuple(fc.array(anyValue(type), { minLength: 1, maxLength: 6 }), fc.infiniteStream(fc.nat(1000)))
    .map(([pool, picks]) => Array.from({ length: rows }, () => pool[(picks.next().value as number) % pool.length]));
  if (type.physical !== 'int64' || type.logical.kind === 'decimal') return fc.oneof(any, few);
  const climbing = fc
    .tuple(fc.bigInt({ min: -(2n ** 50n), max: 2n ** 50n }), fc.nat(2 ** 31), fc.infiniteStream(fc.nat(2 ** 31)))
    .map(([start, widest, steps]) => {
      let value = start;
      return Array.from({ length: rows }, () => (value += BigInt((steps.next().value as number) % (widest + 1))));
    });
  return fc.oneof(any, few, climbing);
}

function cellsOf({ type, list }: ParquetColumn, rows: number): fc.Arbitrary<Cell[]> {
  const nullable = (length: number) =>
    fc
      .tuple(valuesOf(type, length), fc.constantFrom(0, 0, 1, 50, 99, 100), fc.infiniteStream(fc.nat(99)))
      .map(([values, nulls, dice]) => values.map((value) => ((dice.next().value as number) < nulls ? null : value)));
  if (!list) return nullable(rows);
  return fc
    .tuple(nullable(3 * rows), fc.array(fc.constantFrom(null, 0, 1, 2, 3), { minLength: rows, maxLength: rows }))
    .map(([items, lengths]) =>
      lengths.map((length, i) => (length === null ? null : items.slice(3 * i, 3 * i + length))),
    );
}

type Sample = { columns: ParquetColumn[]; cells: Record<string, Cell[]>; options: WriteOptions };

const samples: fc.Arbitrary<Sample> = fc
  .tuple(
    fc.array(fc.tuple(fc.constantFrom(...Object.values(TYPES)), fc.boolean(), fc.boolean()), {
      minLength: 1,
      maxLength: 4,
    }),
    fc.oneof(fc.nat(12), fc.nat(400)),
  )
  .chain(([kinds, rows]) => {
    const columns = kinds.map(([type, list, stats], i) => column(`c${i}`, type, { list, stats }));
    return fc.record({
      columns: fc.constant(columns),
      cells: fc
        .tuple(...columns.map((c) => cellsOf(c, rows)))
        .map((all) => Object.fromEntries(columns.map((c, i) => [c.name, all[i]]))),
      options: fc.record({
        codec: fc.constantFrom('zstd' as const, 'gzip' as const, 'none' as const),
        rowsPerGroup: fc.integer({ min: 1 + (rows >>> 3), max: rows + 1 }),
        plainOnly: fc.boolean(),
        pageBytes: fc.oneof(fc.integer({ min: 1, max: 600 }), fc.constant(1 << 20)),
      }),
    });
  });

test('columns of any type, nulls, groups, pages and codec come back as they went in', async () => {
  const path = join(folder, 'sample.parquet');
  await fc.assert(
    fc.asyncProperty(samples, async ({ columns, cells, options }) => {
      const file = await writeParquet(path, columns, cells, options);
      const expected = Object.fromEntries(columns.map((c) => [c.name, cells[c.name].map((cell) => cellText(c, cell))]));
      expect(await readWithHyparquet(path)).toEqual(expected);
      expect(await readWithDuckdb(path)).toEqual(expected);
      expect(file.rows).toBe(BigInt(cells[columns[0].name].length));
    }),
    { numRuns: 150 },
  );
});
