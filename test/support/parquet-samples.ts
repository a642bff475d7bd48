/** Values at the edges of every type the encoder writes. */

import type { ParquetColumn } from '../../src/parquet/schema.ts';
import { type Cell, column, TYPES } from './parquet-writer.ts';

/** Seven cells a type; at the edges, then null, then within. */
const CELLS = {
  boolean: [true, false, null, true, true, false, null],
  short: [-32768, 32767, null, 0, 1, -1, 7],
  integer: [-2147483648, 2147483647, null, 0, 1, -1, 7],
  long: [-(2n ** 63n), 2n ** 63n - 1n, null, 0n, 1n, -1n, 2n ** 32n],
  float: [-3.4028234663852886e38, 3.4028234663852886e38, null, -0, 0.1, 1e-45, 2.5],
  double: [-Infinity, Infinity, null, -0, 0.1, 5e-324, Number.MAX_VALUE],
  string: ['', 'žluťoučký kůň 🐎', null, 'a\r\nb\0c', 'NULL', '"', '\u{10ffff}'],
  binary: [Buffer.of(), Buffer.of(0, 255, 128), null, Buffer.from('text'), Buffer.of(0), Buffer.of(255), Buffer.of(1)],
  date: [-719162, 2932896, null, 0, -1, 1, 19782],
  instant: [-62135596800000000n, 253402300799999999n, null, 0n, -1n, 1n, 1709164800123456n],
  local: [-62135596800000000n, 253402300799999999n, null, 0n, -1n, 1n, 1709164800123456n],
  decimal9: [-999999999, 999999999, null, 0, 1, -1, 150],
  decimal18: [1n - 10n ** 18n, 10n ** 18n - 1n, null, 0n, 1n, -1n, 15000n],
  decimal38: [1n - 10n ** 38n, 10n ** 38n - 1n, null, 0n, 1n, -1n, 15n * 10n ** 9n],
  decimal20: [1n - 10n ** 20n, 10n ** 20n - 1n, null, 0n, 1n, -1n, 15n],
} as const satisfies Record<keyof typeof TYPES, readonly Cell[]>;

const KINDS = Object.keys(TYPES) as (keyof typeof TYPES)[];

export type Sample = { columns: ParquetColumn[]; cells: Record<string, Cell[]> };

/** A column of every type, seven rows. */
export function flatSample(): Sample {
  return {
    columns: KINDS.map((kind) => column(kind, TYPES[kind])),
    cells: Object.fromEntries(KINDS.map((kind) => [kind, [...CELLS[kind]]])),
  };
}

/** A LIST of every type, six rows: null, empty, one null, one value, all of them, one value. */
export function listSample(): Sample {
  const rows = (cells: readonly Cell[]) => [null, [], [null], [cells[0]], [...cells], [cells[1]]] as Cell[];
  return {
    columns: KINDS.map((kind) => column(kind, TYPES[kind], { list: true })),
    cells: Object.fromEntries(KINDS.map((kind) => [kind, rows(CELLS[kind])])),
  };
}

/** Enough rows, and alike enough, that dictionaries and deltas come into play: 3,000 rows, `steps` and `key` climb, others repeat. */
export function longSample(): Sample {
  const flat = flatSample();
  const columns = [
    ...flat.columns,
    column('key', TYPES.long),
    column('steps', TYPES.instant),
    column('small', TYPES.integer),
  ];
  const repeated = (kind: string) => Array.from({ length: 3000 }, (_, i) => flat.cells[kind][((i * 31) >>> 3) % 7]);
  const climbing = (step: (i: number) => bigint) => {
    let value = 1_700_000_000_000_000n;
    return Array.from({ length: 3000 }, (_, i) => (value += step(i)));
  };
  return {
    columns,
    cells: {
      ...Object.fromEntries(KINDS.map((kind) => [kind, repeated(kind)])),
      key: climbing(() => 1n),
      steps: climbing((i) => BigInt(i % 97) * 4_294_967_296n + BigInt(i % 13)),
      small: Array.from({ length: 3000 }, (_, i) => (i % 10 === 9 ? null : i * 3 - 2_000)),
    },
  };
}
