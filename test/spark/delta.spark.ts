/** Spark, Delta Lake's own engine, reads our tables and changes them, and we go on from there. */

import { randomUUID } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AddFile, Protocol } from '../../src/compact/delta/actions.ts';
import { commit } from '../../src/compact/delta/commit.ts';
import { decodeVector, encodeVectors, vectorPath } from '../../src/compact/delta/deletion-vector.ts';
import { readSnapshot } from '../../src/compact/delta/read-log.ts';
import { parseStatistics, withVector } from '../../src/compact/delta/statistics.ts';
import type { DuckConnection } from '../../src/duckdb/duck.ts';
import { ident, text, texts } from '../../src/duckdb/literal.ts';
import { changes, type DeltaPlace, deltaPlace, never, removed } from '../compact/delta-support.ts';
import { edgesOf, edgeText, idsByFiles } from '../interop/delta-edges.ts';
import { duckLiteral, NTZ, SAMPLE, type SampleColumn, sampleRows, sampleTable } from '../interop/delta-samples.ts';
import type { TextRow } from '../interop/delta-support.ts';
import { selected, spark, sparkAvailable, sparkLiteral } from './spark.ts';

const available = await sparkAvailable();

const protocol = (...features: string[]): Protocol => ({
  minReaderVersion: 3,
  minWriterVersion: 7,
  readerFeatures: features,
  writerFeatures: features,
});
const VECTORS = { protocol: protocol('deletionVectors'), configuration: { 'delta.enableDeletionVectors': 'true' } };

let place: DeltaPlace;
let connection: DuckConnection;
beforeAll(async () => {
  place = await deltaPlace();
  connection = await place.duck.connect();
});
afterAll(() => place?.[Symbol.asyncDispose]());

const writerOf = (path: string) => place.writer(path.slice(place.folder.length + 1));
const everyRow = (sample: SampleColumn[]) =>
  `SELECT ${sample.map(({ name, type }) => selected(name, type)).join(', ')} FROM {t} ORDER BY id`;
const ids = (rows: TextRow[]) => rows.map(({ id }) => id).join(' ');

/** Marks rows of files as deleted, besides those that are. */
async function mark(path: string, marks: { add: AddFile; rows: number[] }[]): Promise<void> {
  const { file, refs } = encodeVectors(
    marks.map(({ rows }) => rows),
    randomUUID(),
  );
  await writeFile(join(path, vectorPath(refs[0])!), file);
  const add = marks.map(({ add }, i) => ({ ...add, stats: withVector(add.stats!), deletionVector: refs[i] }));
  const remove = marks.map(({ add }) => removed(add, Date.now()));
  expect(
    await commit(writerOf(path), await readSnapshot(writerOf(path), never), changes({ remove, add }), never),
  ).not.toBe('conflict');
}

async function liveFiles(path: string): Promise<AddFile[]> {
  return [...(await readSnapshot(writerOf(path), never))!.files.values()];
}

async function deletedRows(path: string, { deletionVector }: AddFile): Promise<number[]> {
  if (!deletionVector) return [];
  const name = vectorPath(deletionVector);
  return decodeVector(deletionVector, name === null ? null : await readFile(join(path, name)));
}

/** Bounds below those values of the sample that are looked for. */
function tooLow(stats: string): string {
  const low = { id: 0, Ключ: '!', dec38: -1, timestamp: '0001-01-01T00:00:00.000Z' };
  return JSON.stringify({ ...JSON.parse(stats), minValues: low, maxValues: low });
}

describe.skipIf(!available)('Spark reads', () => {
  test('every type, the rows of filters at each value, and what deletion vectors leave', async () => {
    const plain = await sampleTable(place, connection);
    const ntz = await sampleTable(place, connection, NTZ, { protocol: protocol('timestampNtz') });
    const marked = await sampleTable(place, connection, SAMPLE, VECTORS);
    const narrow = await sampleTable(place, connection, SAMPLE, { stats: tooLow });
    const [a, b, c] = marked.adds;
    await mark(marked.path, [
      { add: a, rows: [0, 3] },
      { add: c, rows: [0, 1, 2, 3] },
      { add: b, rows: [] },
    ]);
    // One filter for each value: a file is passed over where either of its bounds is too narrow.
    const edges = [...edgesOf(SAMPLE), ...edgesOf(NTZ)].filter(
      ({ operator }) => operator === '=' || operator.startsWith('IS'),
    );
    const expected = [
      ...(await idsByFiles(
        connection,
        plain.files,
        edges.filter(({ column }) => SAMPLE.includes(column)),
      )),
      ...(await idsByFiles(
        connection,
        ntz.files,
        edges.filter(({ column }) => !SAMPLE.includes(column)),
      )),
    ];

    const [rows, ntzRows, left, missed, ...found] = await spark([
      { path: plain.path, sql: everyRow(SAMPLE) },
      { path: ntz.path, sql: everyRow(NTZ) },
      { path: marked.path, sql: everyRow(SAMPLE) },
      {
        path: narrow.path,
        sql: "SELECT id FROM {t} WHERE id = 5 OR `Ключ` = 'д' OR dec38 = 0 OR timestamp = '1970-01-01T00:00:00Z'",
      },
      ...edges.map(({ column, operator, value }) => ({
        path: SAMPLE.includes(column) ? plain.path : ntz.path,
        sql: `SELECT id FROM {t} WHERE \`${column.name}\` ${operator} ${value === undefined ? '' : sparkLiteral(column.type, value)} ORDER BY id`,
      })),
    ]);
    expect(rows).toEqual(sampleRows(SAMPLE));
    expect(ntzRows).toEqual(sampleRows(NTZ));
    expect(left).toEqual(sampleRows(SAMPLE).filter(({ id }) => ['2', '3', '5', '6', '7', '8'].includes(id as string)));
    // It does pass over files by their bounds: by wrong ones, too.
    expect(missed).toEqual([]);
    expect(edges.filter((_, i) => ids(found[i]) !== expected[i]).map(edgeText)).toEqual([]);
  });
});

describe.skipIf(!available)('Spark changes a table of ours', () => {
  const ROWS = 200_000;
  /** Rows that Spark deletes, by the file: a run, a bitmap, an array. */
  const CONDITIONS = ['id BETWEEN 1000 AND 150000', 'id % 3 = 0', 'id IN (7, 70000, 199999)'];
  const gone = [
    (id: number) => id >= 1000 && id <= 150_000,
    (id: number) => id % 3 === 0,
    (id: number) => [7, 70_000, 199_999].includes(id),
  ];

  test('its deletion vectors are read, extended and merged away', async () => {
    const sample: SampleColumn[] = [
      { name: 'id', type: 'integer', files: [['-1'], ['-2'], ['-3']] },
      { name: 'f', type: 'integer', files: [['0'], ['1'], ['2']] },
    ];
    const { path, adds, columns } = await sampleTable(place, connection, sample, VECTORS);
    const more: AddFile[] = [];
    for (const f of [0, 1, 2]) {
      const name = `${randomUUID()}.parquet`;
      await connection.run(
        `COPY (SELECT i::INTEGER AS id, ${f}::INTEGER AS f FROM range(${ROWS}) r(i)) TO ${text(join(path, name))} (FORMAT parquet)`,
        never,
      );
      const { size } = await stat(join(path, name));
      more.push({
        ...adds[0],
        path: name,
        size,
        stats: `{"numRecords":${ROWS},"minValues":{"id":0,"f":${f}},"maxValues":{"id":${ROWS - 1},"f":${f}},"nullCount":{"id":0,"f":0}}`,
      });
    }
    const remove = adds.map((each) => removed(each, Date.now()));
    await commit(writerOf(path), await readSnapshot(writerOf(path), never), changes({ remove, add: more }), never);

    const condition = CONDITIONS.map((each, f) => `(f = ${f} AND ${each})`).join(' OR ');
    await spark([{ path, sql: `DELETE FROM {t} WHERE ${condition}` }]);
    const files = await liveFiles(path);
    expect(files.map((each) => each.path).sort()).toEqual(more.map((each) => each.path).sort());
    const marks = await Promise.all(
      more.map(async (before, f) => {
        const add = files.find((each) => each.path === before.path)!;
        const rows = await deletedRows(path, add);
        expect(rows).toEqual(Array.from({ length: ROWS }, (_, id) => id).filter(gone[f]));
        return { add, rows: [...new Set([...rows, 500, 180_001])].sort((x, y) => x - y) };
      }),
    );

    await mark(path, marks);
    const count = 'SELECT f, count(*) AS n, sum(CAST(id AS BIGINT)) AS total FROM {t} GROUP BY f ORDER BY f';
    const [left, , optimized] = await spark([
      { path, sql: count },
      { path, sql: 'OPTIMIZE {t}' },
      { path, sql: count },
    ]);
    const expected = marks.map(({ rows }, f) => ({
      f: String(f),
      n: String(ROWS - rows.length),
      total: String((ROWS * (ROWS - 1)) / 2 - rows.reduce((sum, row) => sum + row, 0)),
    }));
    expect(left).toEqual(expected);
    expect(optimized).toEqual(expected);
    const after = await liveFiles(path);
    expect(after.map(({ deletionVector }) => deletionVector)).toEqual(after.map(() => null));
    expect(after.reduce((sum, { stats }) => sum + parseStatistics(stats, columns)!.rows, 0)).toBe(
      expected.reduce((sum, { n }) => sum + Number(n), 0),
    );
  });

  test('its statistics hold every value as we read them', async () => {
    const { path, columns } = await sampleTable(place, connection);
    await spark([
      { path, sql: 'INSERT INTO {t} SELECT * FROM {t} WHERE id IN (7, 11)' },
      { path, sql: 'OPTIMIZE {t}' },
    ]);
    const files = await liveFiles(path);
    expect(files.reduce((sum, { stats }) => sum + parseStatistics(stats, columns)!.rows, 0)).toBe(14);
    for (const { path: name, stats } of files) {
      const { min, max } = parseStatistics(stats, columns)!;
      const tests = columns.flatMap((column) => {
        const [least, greatest] = [min.get(column.name), max.get(column.name)];
        return [
          least && `${ident(column.name)} < ${duckLiteral(column.type, least)}`,
          greatest && `${ident(column.name)} > ${duckLiteral(column.type, greatest)}`,
        ];
      });
      expect(tests.filter(Boolean).length).toBeGreaterThan(20);
      expect(
        await connection.rows(
          `SELECT id FROM read_parquet(${texts([join(path, name)])}) WHERE ${tests.filter(Boolean).join(' OR ')}`,
          never,
        ),
      ).toEqual([]);
    }
  });
});
