/** A compaction on a distant S3 server, with the Delta log read anew and with what is kept of it, in turns. */

import { keptSnapshots, readAlways } from '../../src/compact/delta/kept-snapshots.ts';
import { openLake } from '../../src/lake/open.ts';
import { createCompactor } from '../../test/support/compactor.ts';
import { createExporter } from '../../test/support/exporter.ts';
import { createRawRuns, type RawColumn } from '../../test/support/raw-runs.ts';
import { median } from '../measure.ts';
import type { Section } from '../report.ts';
import type { DistantS3 } from './distant-s3.ts';

const ROWS = 10_000;
const CHANGES = 100;
const COLUMNS: RawColumn[] = [
  { name: 'id', type: 'INTEGER', key: 1 },
  { name: 'name', type: 'VARCHAR' },
];

export async function keptOrNot(url: string, s3: DistantS3, times: number): Promise<Section> {
  Object.assign(process.env, s3.env);
  const { endpoint } = s3;
  await using exporter = await createExporter(url);
  await using lake = await openLake({
    url: 's3://lake/kept',
    baseDir: '/',
    s3: { endpoint, region: 'us-east-1', force_path_style: true },
  });
  const { state } = exporter;
  await using raw = await createRawRuns({ state, lake });
  await using anew = await createCompactor({ state, lake }, { snapshots: readAlways });
  await using kept = await createCompactor({ state, lake }, { snapshots: keptSnapshots() });
  const ways = [
    { name: 'the log read anew', table: 'anew', compactor: anew, ms: [] as number[], asked: [] as number[] },
    { name: 'what is known is kept', table: 'kept', compactor: kept, ms: [] as number[], asked: [] as number[] },
  ];
  const rows = (count: number, id: string) =>
    `SELECT (${id})::INTEGER AS id, md5(i::VARCHAR) AS name FROM range(${count}) r(i)`;
  for (const { table, compactor } of ways) {
    await raw.addSelect(table, { full: true, columns: COLUMNS, select: rows(ROWS, 'i') });
    await compactor.compact(table);
  }
  for (let round = 0; round < times; round++) {
    for (const { table, compactor, ms, asked } of round % 2 ? ways : ways.toReversed()) {
      await raw.addSelect(table, { columns: COLUMNS, select: rows(CHANGES, `i * 97 + ${round}`) });
      const [before, began] = [s3.requests(), performance.now()];
      await compactor.compact(table);
      ms.push(performance.now() - began);
      asked.push(s3.requests() - before);
    }
  }
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    title: `a compaction of ${CHANGES} changed rows on S3 with 20 ms for each answer, ${times} in turns`,
    head: ['', 'median ms', 'requests, mean', 'requests, median'],
    rows: ways.map(({ name, ms, asked }) => [
      name,
      median(ms).toFixed(0),
      mean(asked).toFixed(1),
      String(median(asked)),
    ]),
  };
}
