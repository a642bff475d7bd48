/** Synthetic columns in the manner of TPC-H's lineitem, filled once and encoded as often as a benchmark wants. */

import type { ColumnData } from '../../src/parquet/column-data.ts';
import type { ParquetColumn, ParquetType } from '../../src/parquet/schema.ts';

const LONG: ParquetType = { physical: 'int64', logical: { kind: 'none' } };
const INTEGER: ParquetType = { physical: 'int32', logical: { kind: 'none' } };
const MONEY: ParquetType = { physical: 'int64', logical: { kind: 'decimal', precision: 15, scale: 2 } };
const TEXT: ParquetType = { physical: 'bytes', logical: { kind: 'string' } };
const DATE: ParquetType = { physical: 'int32', logical: { kind: 'date' } };
const INSTANT: ParquetType = { physical: 'int64', logical: { kind: 'timestamp', utc: true } };

const WORDS =
  'furiously sly carefully blithe quick fluffy slow quiet ruthless thin close dogged daring brave stealthy permanent enticing idle busy regular final ironic even bold silent special pending express unusual foxes ideas theodolites pinto beans instructions dependencies excuses platelets asymptotes courts dolphins multipliers sauternes warthogs frets dinos attainments somas braids hockey players frays warhorses dugouts notornis epitaphs pearls tithes waters orbits gifts sheaves depths sentiments decoys realms pains grouches escapades packages requests accounts deposits sleep wake are cajole haggle nag use boost affix detect integrate maintain nod was lose sublate solve thrash promise engage hinder print about above according across after against along among around at atop before behind beneath beside'.split(
    ' ',
  );

/** A small generator of numbers, the same in each run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
}

type Make = (row: number, next: (below: number) => number) => number | string;

const COLUMNS: [string, ParquetType, Make][] = [
  ['id', LONG, (row) => row + 1],
  ['l_orderkey', LONG, (row) => Math.floor(row / 4) * 4 + 1],
  ['l_partkey', LONG, (_, next) => 1 + next(66_000)],
  ['l_suppkey', LONG, (_, next) => 1 + next(3_300)],
  ['l_linenumber', INTEGER, (row) => 1 + (row % 7)],
  ['l_quantity', MONEY, (_, next) => 100 * (1 + next(50))],
  ['l_extendedprice', MONEY, (_, next) => (1 + next(50)) * (90_000 + next(110_000))],
  ['l_discount', MONEY, (_, next) => next(11)],
  ['l_tax', MONEY, (_, next) => next(9)],
  ['l_returnflag', TEXT, (_, next) => 'RAN'[next(3)]],
  ['l_linestatus', TEXT, (_, next) => 'OF'[next(2)]],
  ['l_shipdate', DATE, (_, next) => 8036 + next(2526)],
  ['l_commitdate', DATE, (_, next) => 8036 + next(2466)],
  ['l_receiptdate', DATE, (_, next) => 8036 + next(2554)],
  ['l_shipinstruct', TEXT, (_, next) => ['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'][next(4)]],
  ['l_shipmode', TEXT, (_, next) => ['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'][next(7)]],
  ['l_comment', TEXT, (_, next) => comment(next)],
  ['updated_at', INSTANT, (row, next) => 1_700_000_000_000_000 + row * 40_000 + next(40_000)],
];

function comment(next: (below: number) => number): string {
  const length = 10 + next(34);
  let text = '';
  while (text.length < length) text += `${WORDS[next(WORDS.length)]} `;
  return text.slice(next(5), length);
}

export const lineitemColumns: ParquetColumn[] = COLUMNS.map(([name, type]) => ({
  name,
  type,
  list: false,
  stats: true,
}));

/** The rows [from, from + rows). */
export function lineitemGroup(from: number, rows: number): ColumnData[] {
  return COLUMNS.map(([, type, make], index) => {
    const next = random(1 + from * 31 + index);
    const width = type.physical === 'int64' ? 8 : 4;
    if (type.physical === 'bytes') {
      const parts: Buffer[] = [];
      for (let i = 0; i < rows; i++) {
        const text = Buffer.from(String(make(from + i, next)));
        const length = Buffer.alloc(4);
        length.writeUInt32LE(text.length);
        parts.push(length, text);
      }
      return { values: Buffer.concat(parts), count: rows, validity: null };
    }
    const values = Buffer.allocUnsafeSlow(rows * width);
    for (let i = 0; i < rows; i++) {
      const value = Number(make(from + i, next));
      if (width === 4) values.writeInt32LE(value, i * 4);
      else values.writeBigInt64LE(BigInt(value), i * 8);
    }
    return { values, count: rows, validity: null };
  });
}
