/** Statistics of real files: what DuckDB's COPY returns, and what it leaves open. */

import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeltaColumn } from '../../src/compact/delta/actions.ts';
import { fileStatistics, type WrittenFile } from '../../src/compact/delta/file-statistics.ts';
import { parseStatistics, type Statistics } from '../../src/compact/delta/statistics.ts';
import type { DuckConnection } from '../../src/duckdb/duck.ts';
import { text } from '../../src/duckdb/literal.ts';
import { type DeltaPlace, deltaPlace, never } from './delta-support.ts';

let place: DeltaPlace;
let connection: DuckConnection;
beforeAll(async () => {
  place = await deltaPlace();
  connection = await place.duck.connect();
});
afterAll(() => place?.[Symbol.asyncDispose]());

const column = (name: string, type: string): DeltaColumn => ({ name, type, nullable: true, metadata: {} });
const ROWS_OF_GROUP = 2_048;

async function statisticsOfFile(select: string, columns: DeltaColumn[], key: string[] = []): Promise<Statistics> {
  const file = text(join(place.folder, 'file.parquet'));
  const [written] = await connection.rows<WrittenFile>(
    `COPY (${select}) TO ${file} (FORMAT parquet, ROW_GROUP_SIZE ${ROWS_OF_GROUP}, RETURN_STATS)`,
    never,
  );
  return parseStatistics(await fileStatistics(connection, written, columns, key, never), columns)!;
}

test('NaN in any row group leaves a column without bounds', async () => {
  const columns = ['first', 'last', 'all', 'none', 'a "b.c"'].map((name) => column(name, 'double'));
  const select = `SELECT CASE WHEN i = 5 THEN 'nan'::DOUBLE ELSE i END AS "first", CASE WHEN i = 4000 THEN 'nan'::DOUBLE ELSE i END AS "last",
    'nan'::DOUBLE AS "all", i::DOUBLE AS "none", i / 2 AS "a ""b.c""" FROM range(4096) t(i)`;
  const { min, max, nullCount } = await statisticsOfFile(select, columns);
  expect(min).toEqual(
    new Map([
      ['none', '-0.0'],
      ['a "b.c"', '-0.0'],
    ]),
  );
  expect(max).toEqual(
    new Map([
      ['none', '4095'],
      ['a "b.c"', '2047.5'],
    ]),
  );
  expect(nullCount.size).toBe(5);
});

test('a key of long texts has bounds though DuckDB gives none', async () => {
  const columns = [column('a', 'string'), column('b', 'string'), column('c', 'string')];
  const select = `SELECT repeat('é', 300) || i AS a, 'ключ' || i || repeat('я', 300) AS b, repeat('é', 300) AS c FROM range(5000) t(i)`;
  const { min, max } = await statisticsOfFile(select, columns, ['b', 'a']);
  expect(min).toEqual(
    new Map([
      ['a', 'é'.repeat(32)],
      ['b', `ключ0${'я'.repeat(27)}`],
    ]),
  );
  // DuckDB itself rounds up the last ASCII character that it can.
  expect(max).toEqual(
    new Map([
      ['a', `${'é'.repeat(32)}\u{10FFFF}`],
      ['b', 'ключ:'],
    ]),
  );
});

test('a key of long texts that are all NULL has none', async () => {
  const { min, nullCount } = await statisticsOfFile(
    'SELECT NULL::VARCHAR AS a FROM range(3)',
    [column('a', 'string')],
    ['a'],
  );
  expect(min.size).toBe(0);
  expect(nullCount).toEqual(new Map([['a', 3]]));
});

test('any texts of any length, in several row groups, lie within the bounds', async () => {
  const unit = fc.constantFrom('a', 'z', '~', '\u007f', 'é', '\uffff', '😀', '\u{10FFFF}');
  const value = fc.tuple(
    fc.array(unit, { maxLength: 3 }),
    unit,
    fc.constantFrom(0, 1, 28, 31, 32, 33, 63, 64, 65, 127, 300),
  );
  const values = fc.array(
    value.map(([head, tail, count]) => head.join('') + tail.repeat(count)),
    { minLength: 1, maxLength: 4 },
  );
  await fc.assert(
    fc.asyncProperty(values, fc.boolean(), async (list, asKey) => {
      const rows = list
        .map((each, i) => `SELECT ${text(each)} AS s FROM range(${i === 0 ? 1 : ROWS_OF_GROUP})`)
        .join(' UNION ALL ');
      const { min, max } = await statisticsOfFile(rows, [column('s', 'string')], asKey ? ['s'] : []);
      const undecided = list.some((each) => each.includes('\u{10FFFF}'.repeat(32)));
      if (asKey) expect([min.has('s'), max.has('s') || undecided]).toEqual([true, true]);
      for (const each of list) {
        if (min.has('s')) expect(Buffer.compare(Buffer.from(min.get('s')!), Buffer.from(each))).toBeLessThanOrEqual(0);
        if (max.has('s'))
          expect(Buffer.compare(Buffer.from(max.get('s')!), Buffer.from(each))).toBeGreaterThanOrEqual(0);
      }
    }),
    { numRuns: 150 },
  );
});
