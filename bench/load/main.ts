/**
 * The load's benchmark: `npm run bench:load [-- --rounds 3 --files 10000 --only local,bad,s3,floor,python]`. Contenders take
 * turns within each round, each into an empty table; medians of the rounds go to bench/results.md.
 */

import { mkdtempDisposable, readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { openLake } from '../../src/lake/open.ts';
import { startPostgres } from '../../test/support/postgres-server.ts';
import { findVersitygw, startVersitygw, VERSITYGW_KEYS } from '../../test/support/versitygw.ts';
import { type Measured, measure, median } from '../measure.ts';
import { writeResults } from '../report.ts';
import { type Contender, executeValues, preparePython, psql, TABLE, tidemark } from './contenders.ts';
import { type Drops, makeDrops } from './drops.ts';
import { targets } from './targets.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    files: { type: 'string', default: '10000' },
    only: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const files = Number(values.files);
const wanted = (name: string) => !values.only || values.only.split(',').includes(name);
const began = performance.now();
const say = (text: string) => console.log(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}`);

const python = wanted('python') ? await preparePython() : null;
await using server = await startPostgres({ settings: { shared_buffers: '1GB', max_wal_size: '8GB' } });
await using temporary = await mkdtempDisposable(path.join(os.tmpdir(), 'tidemark-bench-'));
const url = server.url();
const client = new pg.Client({ connectionString: url });
await client.connect();
await client.query(TABLE);

say(`making ${files} drops`);
const drops = await makeDrops(temporary.path, files, 250);
say(`${drops.lines} lines, ${drops.kept} of them wanted, ${(drops.bytes / 1e6).toFixed(0)} MB`);
const gateway = wanted('s3') ? findVersitygw() : null;
await using s3 = gateway === null ? null : await startVersitygw(gateway);
if (s3) await putAll(s3.endpoint, drops);

const contenders = await all();
const measured = new Map<string, Measured[]>(contenders.map(({ name }) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const contender of contenders) {
    // The slow way is long enough that one round shows it.
    if (contender.scale > 1 && round > 0) continue;
    if (contender.fresh) await empty();
    const taken = await measure(contender.command, { cwd: contender.cwd, env: contender.env });
    await check(contender);
    measured.get(contender.name)!.push(taken);
    say(`round ${round + 1}: ${contender.name}: ${taken.wall.toFixed(2)} s, ${taken.rssMb.toFixed(0)} MB`);
  }
}

const results = contenders.map(({ name, scale }) => {
  const runs = measured.get(name)!;
  const of = (pick: (one: Measured) => number) => median(runs.map(pick));
  return { name, wall: of((r) => r.wall) * scale, cpu: of((r) => r.cpu) * scale, rssMb: of((r) => r.rssMb) };
});
await client.end();
const floor = results.find(({ name }) => name.startsWith('psql'));
await writeResults({
  name: 'load',
  title: 'Load',
  rounds,
  notes: [
    `${files.toLocaleString('en-US')} gzipped files of 250 JSON lines (${drops.lines.toLocaleString('en-US')} lines, ${(drops.bytes / 1e6).toFixed(0)} MB), of which ${drops.kept.toLocaleString('en-US')} rows are wanted, into a table with a uuid as its primary key. The S3 server is versitygw. Client CPU and memory are those of the process and its threads; the servers' come on top.`,
  ],
  sections: [
    {
      title: 'Ways to load them',
      head: ['', 'wall s', 'it / floor', 'lines/s', 'client CPU s', 'peak RSS MB'],
      rows: results.map(({ name, wall, cpu, rssMb }) => [
        name,
        wall.toFixed(2),
        floor ? (wall / floor.wall).toFixed(2) : '',
        Math.round(drops.lines / wall).toLocaleString('en-US'),
        cpu.toFixed(2),
        rssMb.toFixed(0),
      ]),
    },
    { title: 'Targets', head: ['', 'measured', 'reached'], rows: targets(results) },
  ],
});

async function all(): Promise<Contender[]> {
  const found: Contender[] = [];
  const rows = drops.kept;
  const local = { from: `file:${drops.good}/*.json.gz`, rows };
  if (wanted('floor')) found.push(await psql(temporary.path, url, drops));
  if (wanted('local')) {
    const first = await tidemark(temporary.path, url, { name: 'tidemark, from a folder', ...local });
    found.push(first, { ...first, name: 'tidemark, all drops known', fresh: false });
  }
  if (wanted('bad')) {
    const bad = { from: `file:${drops.bad}/*.json.gz`, rows: await goodRows(drops) };
    found.push(await tidemark(temporary.path, url, { name: 'tidemark, 1% bad lines', ...bad }));
  }
  if (s3) {
    const lines = `    s3: { endpoint: "${s3.endpoint}", region: us-east-1, force_path_style: true }\n`;
    const about = { name: 'tidemark, from S3', from: 's3://lake/good/*.json.gz', s3: lines, env: VERSITYGW_KEYS, rows };
    const first = await tidemark(temporary.path, url, about);
    found.push(first, { ...first, name: 'tidemark, all drops of S3 known', fresh: false });
  }
  if (python) {
    const some = Math.min(files, 1000);
    const part = { files: some, scale: files / some, kept: await rowsOf(drops, some * 250) };
    for (const processes of [8, 16]) found.push(executeValues(python, url, drops.good, processes, part));
  }
  return found;
}

async function empty(): Promise<void> {
  await client.query('truncate events');
  await client.query('drop schema if exists tidemark cascade');
  await client.query('checkpoint');
}

async function check({ name, rows }: Contender): Promise<void> {
  const found = Number((await client.query('select count(*) as n from events')).rows[0].n);
  if (found !== rows) throw new Error(`${name}: ${found} rows instead of ${rows}`);
}

/** Rows of the first `lines` lines; drops are made in order, and ts counts the lines. */
async function rowsOf({ prepared }: Drops, lines: number): Promise<number> {
  return (await lineNumbers(prepared)).filter((line) => line < lines).length;
}

/** Without every hundredth line, which is broken. */
async function goodRows({ prepared }: Drops): Promise<number> {
  return (await lineNumbers(prepared)).filter((line) => line % 100 !== 99).length;
}

async function lineNumbers(prepared: string): Promise<number[]> {
  const rows = (await readFile(prepared, 'latin1')).split('\n').slice(0, -1);
  return rows.map((row) => Math.round((Date.parse(row.split('\t')[3]) - 1_745_000_000_000) / 34));
}

/** Through the server, so that the objects have ETags. */
async function putAll(endpoint: string, { good }: Drops): Promise<void> {
  say('putting them into the bucket');
  Object.assign(process.env, VERSITYGW_KEYS);
  const settings = { endpoint, region: 'us-east-1', force_path_style: true };
  await using lake = await openLake({ url: 's3://lake', baseDir: '/', s3: settings });
  const never = new AbortController().signal;
  const names = (await readdir(good)).sort();
  const put = async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      await lake.put(`good/${name}`, await readFile(path.join(good, name)), never);
    }
  };
  await Promise.all(Array.from({ length: 16 }, put));
}
