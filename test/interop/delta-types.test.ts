/** Every type in a staged table, as other engines read it: values, and filters at the edges of the log's statistics. */

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Protocol } from '../../src/compact/delta/actions.ts';
import { readSnapshot } from '../../src/compact/delta/read-log.ts';
import { parseStatistics } from '../../src/compact/delta/statistics.ts';
import type { DuckConnection } from '../../src/duckdb/duck.ts';
import { ident, texts } from '../../src/duckdb/literal.ts';
import { type DeltaPlace, deltaPlace, never } from '../compact/delta-support.ts';
import { pythonAvailable } from '../support/python.ts';
import { type Edge, edgesOf, edgeText, idsByFiles, idsByReader } from './delta-edges.ts';
import { duckLiteral, duckType, NTZ, SAMPLE, type SampleColumn, sampleRows, sampleTable } from './delta-samples.ts';
import {
  DELTA_READERS,
  type DeltaReader,
  optimizeWithDeltaRs,
  readWithDeltaRs,
  readWithDuckdb,
  writeWithDeltaRs,
} from './delta-support.ts';

const python = await pythonAvailable();

const NTZ_PROTOCOL: Protocol = {
  minReaderVersion: 3,
  minWriterVersion: 7,
  readerFeatures: ['timestampNtz'],
  writerFeatures: ['timestampNtz'],
};

let place: DeltaPlace;
let connection: DuckConnection;
beforeAll(async () => {
  place = await deltaPlace();
  connection = await place.duck.connect();
});
afterAll(() => place?.[Symbol.asyncDispose]());

const make = (sample: SampleColumn[], stats?: (text: string) => string) =>
  sampleTable(place, connection, sample, { ...(sample === NTZ && { protocol: NTZ_PROTOCOL }), stats });

const read = (reader: DeltaReader) => (reader === 'duckdb' ? readWithDuckdb : readWithDeltaRs);

/** Comparisons whose result is another one than the files' own. */
async function wrong(reader: DeltaReader, path: string, edges: Edge[], expected: string[]): Promise<Edge[]> {
  const found = await idsByReader(reader, path, edges);
  return edges.filter((_, i) => found[i] !== expected[i]);
}

describe.skipIf(!python).each([
  ['every type', SAMPLE],
  ['timestamps without a zone', NTZ],
])('%s', (_, sample) => {
  const edges = edgesOf(sample);
  let path: string;
  let expected: string[];
  beforeAll(async () => {
    const table = await make(sample);
    path = table.path;
    expected = await idsByFiles(connection, table.files, edges);
  });

  test.each(DELTA_READERS)('%s reads each value', async (reader) => {
    expect(await read(reader)(path)).toEqual(sampleRows(sample));
  });

  test.each(DELTA_READERS)('%s finds the same rows at each value as without statistics', async (reader) => {
    expect((await wrong(reader, path, edges, expected)).map(edgeText)).toEqual([]);
  });
});

describe.skipIf(!python)('the tests above would see a bound that is too narrow', () => {
  /** Bounds below most values of the sample. */
  const TOO_LOW: Record<string, unknown> = { string: '!', date: '0001-01-01', timestamp: '0001-01-01T00:00:00.000Z' };
  const lowered = (stats: string) => {
    const bounded = SAMPLE.filter(({ name }) => name in JSON.parse(stats).maxValues);
    const low = bounded.map(({ name, type }) => [name, TOO_LOW[type as string] ?? -999]);
    return JSON.stringify({
      ...JSON.parse(stats),
      minValues: Object.fromEntries(low),
      maxValues: Object.fromEntries(low),
    });
  };

  test.each<[DeltaReader, string[]]>([
    ['delta-rs', ['date', 'dec18', 'dec38', 'dec9', 'double', 'float', 'id', 'long', 'string', 'timestamp', 'words']],
    // It leaves timestamps to the Parquet files.
    ['duckdb', ['date', 'dec18', 'dec38', 'dec9', 'double', 'float', 'id', 'long', 'string', 'words']],
  ])('%s passes over files by the bounds of each type', async (reader, expected) => {
    const { path, files } = await make(SAMPLE, lowered);
    const edges = edgesOf(SAMPLE).filter(({ column, value }) => value !== undefined && expected.includes(column.name));
    const missed = await wrong(reader, path, edges, await idsByFiles(connection, files, edges));
    expect([...new Set(missed.map(({ column }) => column.name))].sort()).toEqual(expected);
  });
});

test.skipIf(!python)(
  'bounds of delta-rs hold every value as we read them: its timestamps are cut to milliseconds',
  async () => {
    const { path, columns } = await make(SAMPLE);
    const rows = [7, 11].map((id) => `SELECT ${SAMPLE.map((column) => sampleValue(column, id)).join(', ')}`);
    await writeWithDeltaRs(path, rows.join(' UNION ALL '));
    const after = async () => {
      const snapshot = await readSnapshot(place.writer(path.slice(place.folder.length + 1)), never);
      return [...snapshot!.files.values()].map(({ path: name, stats }) => ({
        file: `${path}/${name}`,
        statistics: parseStatistics(stats, columns)!,
      }));
    };
    const check = async (files: Awaited<ReturnType<typeof after>>) => {
      for (const { file, statistics } of files) {
        const tests = columns.flatMap(({ name, type }) => {
          const [min, max] = [statistics.min.get(name), statistics.max.get(name)];
          return [
            min && `${ident(name)} < ${duckLiteral(type, min)}`,
            max && `${ident(name)} > ${duckLiteral(type, max)}`,
          ];
        });
        const outside = await connection.rows(
          `SELECT id FROM read_parquet(${texts([file])}) WHERE ${tests.filter(Boolean).join(' OR ')}`,
          never,
        );
        expect(outside).toEqual([]);
      }
    };
    const appended = await after();
    expect(appended.map(({ statistics }) => statistics.rows).sort()).toEqual([2, 4, 4, 4]);
    await check(appended);
    const theirs = appended.find(({ statistics }) => statistics.rows === 2)!;
    expect(await readFile(`${path}/_delta_log/00000000000000000001.json`, 'utf8')).toContain('T03:04:05.678Z');
    expect(theirs.statistics.max.get('timestamp')).toMatch(/999Z$/);

    expect(await optimizeWithDeltaRs(path)).toMatchObject({ filesAdded: 1, filesRemoved: 4 });
    const one = await after();
    expect(one.map(({ statistics }) => statistics.rows)).toEqual([14]);
    await check(one);
  },
);

/** A column's value in the sample's row, as SQL. */
function sampleValue({ name, type, files }: SampleColumn, id: number): string {
  return `${duckLiteral(type, files.flat()[id - 1])}::${duckType(type)} AS ${ident(name)}`;
}
