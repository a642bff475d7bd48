/** Our deletion vectors, as other engines read them. */

import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AddFile, Protocol } from '../../src/compact/delta/actions.ts';
import { commit } from '../../src/compact/delta/commit.ts';
import { encodeVectors, vectorPath } from '../../src/compact/delta/deletion-vector.ts';
import { fileStatistics, type WrittenFile } from '../../src/compact/delta/file-statistics.ts';
import { readSnapshot } from '../../src/compact/delta/read-log.ts';
import { withVector } from '../../src/compact/delta/statistics.ts';
import type { DuckConnection } from '../../src/duckdb/duck.ts';
import { text } from '../../src/duckdb/literal.ts';
import { changes, type DeltaPlace, deltaPlace, never, removed } from '../compact/delta-support.ts';
import { pythonAvailable } from '../support/python.ts';
import { edgesOf, edgeText, idsByReader } from './delta-edges.ts';
import { SAMPLE, sampleRows, sampleTable } from './delta-samples.ts';
import { DELTA_READERS, queryDelta } from './delta-support.ts';

const python = await pythonAvailable();

const PROTOCOL: Protocol = {
  minReaderVersion: 3,
  minWriterVersion: 7,
  readerFeatures: ['deletionVectors'],
  writerFeatures: ['deletionVectors'],
};
const VECTORS = { protocol: PROTOCOL, configuration: { 'delta.enableDeletionVectors': 'true' } };

let place: DeltaPlace;
let connection: DuckConnection;
beforeAll(async () => {
  place = await deltaPlace();
  connection = await place.duck.connect();
});
afterAll(() => place?.[Symbol.asyncDispose]());

/** Marks rows of the table's files as deleted, in one commit with one file of vectors; null leaves a file as it is. */
async function mark(path: string, adds: AddFile[], positions: (number[] | null)[]): Promise<void> {
  const writer = place.writer(path.slice(place.folder.length + 1));
  const snapshot = await readSnapshot(writer, never);
  const marked = adds.filter((_, file) => positions[file]);
  const { file, refs } = encodeVectors(
    positions.filter((rows) => rows !== null),
    randomUUID(),
  );
  await writeFile(join(path, vectorPath(refs[0])!), file);
  const add = marked.map((each, i) => ({ ...each, stats: withVector(each.stats!), deletionVector: refs[i] }));
  const remove = marked.map((each) => removed(each, Date.now()));
  expect(await commit(writer, snapshot, changes({ remove, add }), never)).not.toBe('conflict');
}

describe.skipIf(!python)('every type', () => {
  // Ids 1, 4 | none | 9, 10, 11, 12: with them go bounds that the log still names.
  const GONE = ['1', '4', '9', '10', '11', '12'];
  let path: string;
  beforeAll(async () => {
    const table = await sampleTable(place, connection, SAMPLE, VECTORS);
    path = table.path;
    await mark(path, table.adds, [[0, 3], null, [0, 1, 2, 3]]);
  });

  test.each(DELTA_READERS)('%s reads the rows that are left, and those of the version before', async (reader) => {
    const query = 'SELECT * FROM t ORDER BY id';
    const left = sampleRows(SAMPLE).filter(({ id }) => !GONE.includes(id as string));
    expect(await queryDelta(reader, path, [query])).toEqual([left]);
    expect(await queryDelta(reader, path, [query], 0)).toEqual([sampleRows(SAMPLE)]);
  });

  test.each(DELTA_READERS)('%s finds no deleted row by any filter', async (reader) => {
    const columns = SAMPLE.filter(({ name }) => ['id', 'string', 'timestamp', 'dec38', 'later'].includes(name));
    const edges = edgesOf(columns);
    const before = await sampleTable(place, connection);
    const expected = (await idsByReader(reader, before.path, edges)).map((ids) =>
      ids
        .split(' ')
        .filter((id) => !GONE.includes(id))
        .join(' '),
    );
    const found = await idsByReader(reader, path, edges);
    expect(edges.filter((_, i) => found[i] !== expected[i]).map(edgeText)).toEqual([]);
  });
});

describe.skipIf(!python)('many rows', () => {
  const ROWS = 300_000;
  const range = (from: number, to: number, step = 1) =>
    Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step);
  const POSITIONS: [string, number[] | null][] = [
    ['a few rows far apart', [0, 65_535, 65_536, 131_072, ROWS - 1]],
    ['as many as an array container holds', range(0, 4096)],
    ['one more', range(0, 4097)],
    ['every second row', range(1, ROWS, 2)],
    ['a range over several containers', range(60_000, 200_000)],
    ['all of them', range(0, ROWS)],
    ['none, in a vector of its own', []],
    ['no vector', null],
  ];
  let path: string;
  beforeAll(async () => {
    const empty = await sampleTable(
      place,
      connection,
      [{ name: 'id', type: 'integer', files: [['-1'], ['-2'], ['-3']] }],
      VECTORS,
    );
    path = empty.path;
    const adds: AddFile[] = [];
    for (const [file] of POSITIONS.entries()) {
      const name = `${randomUUID()}.parquet`;
      const [written] = await connection.rows<WrittenFile & { file_size_bytes: bigint }>(
        `COPY (SELECT (${file} * 1000000 + i)::INTEGER AS id FROM range(${ROWS}) r(i)) TO ${text(join(path, name))} (FORMAT parquet, ROW_GROUP_SIZE 61440, RETURN_STATS)`,
        never,
      );
      const stats = await fileStatistics(connection, written, empty.columns, ['id'], never);
      adds.push({ ...empty.adds[0], path: name, size: Number(written.file_size_bytes), stats });
    }
    const writer = place.writer(path.slice(place.folder.length + 1));
    const remove = empty.adds.map((each) => removed(each, Date.now()));
    await commit(writer, await readSnapshot(writer, never), changes({ remove, add: adds }), never);
    await mark(
      path,
      adds,
      POSITIONS.map(([, rows]) => rows),
    );
  });

  test.each(DELTA_READERS)('%s leaves out just those, of several vectors in one file', async (reader) => {
    const [rows, filtered] = await queryDelta(reader, path, [
      'SELECT CAST(floor(id / 1000000.0) AS BIGINT) AS file, count(*) AS n, sum(CAST(id AS BIGINT)) AS total FROM t GROUP BY 1 ORDER BY 1',
      'SELECT id FROM t WHERE id IN (3000000, 3000001, 3299998, 3299999, 4059999, 4060000, 4199999, 4200000) ORDER BY id',
    ]);
    const left = POSITIONS.map(([, gone], file) => {
      const n = ROWS - (gone?.length ?? 0);
      const sum = (ROWS * (ROWS - 1)) / 2 - (gone ?? []).reduce((total, row) => total + row, 0);
      return { file: String(file), n: String(n), total: String(n * file * 1_000_000 + sum) };
    });
    expect(rows).toEqual(left.filter(({ n }) => n !== '0'));
    expect(filtered.map(({ id }) => id)).toEqual(['3000000', '3299998', '4059999', '4200000']);
  });
});
