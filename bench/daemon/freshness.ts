/**
 * From the commit in Postgres to the row in the staged table. Every transaction has a number, which is in the statistics of the Delta
 * log's files: a version shows all transactions of its table up to the greatest one.
 */

import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import pg from 'pg';
import { median } from '../measure.ts';
import type { Section } from '../report.ts';
import { startDaemon } from './daemon-process.ts';
import type { DistantS3 } from './distant-s3.ts';

const TABLES = 20;
const ROWS_BEFORE = 10_000;
/** Rows of a transaction, half of them new; so many transactions make a thousand rows a second. */
const ROWS = 20;
const PAUSE_MS = 20;

export type Freshness = { median: number; p95: number; greatest: number; perSecond: number };

type Committed = { number: number; at: number };

/** Into a folder, or `s3`. */
export async function freshness(
  root: string,
  url: string,
  seconds: number,
  s3: DistantS3 | null = null,
): Promise<[Section, Freshness]> {
  const cwd = path.join(root, s3 ? 'fresh-s3' : 'fresh');
  const lake = s3?.folder ?? path.join(cwd, 'lake');
  await mkdir(cwd);
  const client = new pg.Client({ connectionString: url });
  // Cut with the server when something else fails, which is what is to be heard of.
  client.on('error', () => {});
  await client.connect();
  for (let i = 0; i < TABLES; i++) {
    await client.query(`create table fresh_${i} (id bigint primary key, batch bigint not null, note text, updated_at timestamptz not null default now());
      insert into fresh_${i} select i, 0, md5(i::text) from generate_series(1, ${ROWS_BEFORE}) i; create index on fresh_${i} (updated_at)`);
  }
  await client.query('vacuum analyze');
  const yaml = `source: { url: "${url}" }
${s3?.lake ?? 'lake: file:./lake'}
schedule: { export: "@every 5s", compact: "@every 5s", compact_after: { rows: 1 }, vacuum: off }
status: { listen: "127.0.0.1:0" }
tables:
  - table: public.fresh_*
`;
  await using daemon = await startDaemon(cwd, yaml, s3?.env);
  const logs = Array.from({ length: TABLES }, (_, i) => path.join(lake, 'staged', `fresh_${i}`, '_delta_log'));
  while ((await Promise.all(logs.map((log) => nextVersion(log, 0)))).includes(null)) await sleep(200);
  const stop = new AbortController();
  const committed: Committed[][] = logs.map(() => []);
  const writing = write(client, committed, stop.signal);
  const watched = Promise.all(logs.map((log, i) => watch(log, committed[i], stop.signal)));
  // The first rounds are spent on finding a rhythm.
  await sleep(15_000);
  const counted = performance.now();
  const before = await daemon.usage();
  const askedBefore = s3?.requests() ?? 0;
  await sleep(seconds * 1000);
  const after = await daemon.usage();
  const until = performance.now();
  const asked = (s3?.requests() ?? 0) - askedBefore;
  stop.abort();
  await writing;
  const delays = (await watched)
    .flat()
    .flatMap(({ at, seen }) => (at >= counted && at < until - 15_000 ? [(seen - at) / 1000] : []));
  const perSecond = (committed.flat().filter(({ at }) => at >= counted).length * ROWS) / ((until - counted) / 1000);
  await everythingArrives(client, lake);
  await daemon.stop();
  await client.end();
  const sorted = delays.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  const found = { median: median(delays), p95: at(0.95), greatest: at(1), perSecond };
  const rows = [
    ['changes a second', perSecond.toFixed(0)],
    ['transactions watched', String(delays.length)],
    ['seconds from commit to staged, median', found.median.toFixed(2)],
    ['95 of 100 within', found.p95.toFixed(2)],
    ['greatest', found.greatest.toFixed(2)],
    [
      'CPU of the daemon, of one core',
      `${(((after.cpuSeconds - before.cpuSeconds) / ((until - counted) / 1000)) * 100).toFixed(0)}%`,
    ],
    ['RSS MB, at the end', after.rssMb.toFixed(0)],
    ...(s3 ? [['requests a second', (asked / ((until - counted) / 1000)).toFixed(0)]] : []),
  ];
  const where = s3 ? ', to an S3 server with 20 ms for each answer' : '';
  return [
    {
      title: `from the commit to the staged table: ${TABLES} tables, "@every 5s"${where}`,
      head: ['', 'measured'],
      rows,
    },
    found,
  ];
}

/** One transaction after another, each in the next table. */
async function write(client: pg.Client, committed: Committed[][], stop: AbortSignal): Promise<void> {
  const began = performance.now();
  for (let number = 1; !stop.aborted; number++) {
    const table = number % TABLES;
    const first = ROWS_BEFORE + number * ROWS;
    // One statement, one transaction.
    await client.query(`with changed as (update fresh_${table} set batch = ${number}, updated_at = now()
        where id in (select 1 + (random() * ${ROWS_BEFORE - 1})::int from generate_series(1, ${ROWS / 2})))
      insert into fresh_${table} select ${first} + i, ${number}, md5(i::text) from generate_series(1, ${ROWS / 2}) i`);
    committed[table].push({ number, at: performance.now() });
    await sleep(Math.max(0, began + number * PAUSE_MS - performance.now()));
  }
}

/** When each transaction was first in a version of the table. */
async function watch(
  log: string,
  committed: Committed[],
  stop: AbortSignal,
): Promise<(Committed & { seen: number })[]> {
  const found: (Committed & { seen: number })[] = [];
  let version = 0;
  let done = 0;
  while (!stop.aborted) {
    const greatest = await nextVersion(log, version);
    if (greatest === null) {
      await sleep(20);
      continue;
    }
    const seen = performance.now();
    version++;
    for (; done < committed.length && committed[done].number <= greatest; done++)
      found.push({ ...committed[done], seen });
  }
  return found;
}

/** The greatest transaction in the files that the version adds; null while there is no such version. */
async function nextVersion(log: string, version: number): Promise<number | null> {
  const text = await readFile(path.join(log, `${String(version).padStart(20, '0')}.json`), 'utf8').catch(() => null);
  if (text === null) return null;
  const batches = text
    .split('\n')
    .filter((line) => line.startsWith('{"add"'))
    .map((line) => Number(JSON.parse(JSON.parse(line).add.stats).maxValues.batch));
  return Math.max(-1, ...batches);
}

/** What was measured is worth something only if the tables are right: every row, in its last version. */
async function everythingArrives(client: pg.Client, lake: string): Promise<void> {
  const source: string[] = [];
  for (let i = 0; i < TABLES; i++) {
    const { rows } = await client.query(
      `select count(*) || ' ' || sum(batch) || ' ' || max(batch) as sums from fresh_${i}`,
    );
    source.push(rows[0].sums);
  }
  for (let tries = 0; ; tries++) {
    const staged = await stagedSums(lake).catch(() => []);
    if (JSON.stringify(staged) === JSON.stringify(source)) return;
    if (tries === 30) throw new Error(`the staged tables are not what the source is:\n${staged}\n${source}`);
    await sleep(1_000);
  }
}

async function stagedSums(lake: string): Promise<string[]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    const sums: string[] = [];
    for (let i = 0; i < TABLES; i++) {
      const folder = path.join(lake, 'staged', `fresh_${i}`);
      const files = (await liveFiles(path.join(folder, '_delta_log'))).map((file) => `'${path.join(folder, file)}'`);
      const found = await connection.runAndReadAll(
        `select count(*) || ' ' || sum(batch) || ' ' || max(batch) from read_parquet([${files}], hive_partitioning = false)`,
      );
      sums.push(String(found.getRows()[0][0]));
    }
    return sums;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** By the log from its beginning on: adds less removes. */
async function liveFiles(log: string): Promise<string[]> {
  const live = new Set<string>();
  for (let version = 0; ; version++) {
    const text = await readFile(path.join(log, `${String(version).padStart(20, '0')}.json`), 'utf8').catch(() => null);
    if (text === null) return [...live];
    for (const line of text.split('\n').filter((each) => each !== '')) {
      const { add, remove } = JSON.parse(line);
      if (add) live.add(decodeURIComponent(add.path));
      if (remove) live.delete(decodeURIComponent(remove.path));
    }
  }
}
