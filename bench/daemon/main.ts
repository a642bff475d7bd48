/**
 * The daemon's benchmark: `npm run bench:daemon [-- --short] [-- --only idle,fresh,fresh-s3,day]`. Idle for ten minutes, a day at speed, and the
 * way of a change into the staged table; figures go to bench/results.md. `--short` is to see that it works: nothing is written.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '../../test/support/postgres-server.ts';
import { printSections, type Section, writeResults } from '../report.ts';
import { simulatedDay } from './day.ts';
import { startDistantS3 } from './distant-s3.ts';
import { freshness } from './freshness.ts';
import { idleDaemon } from './idle.ts';
import { keptOrNot } from './kept.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    short: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    hours: { type: 'string' },
  },
});
const wanted = (name: string) => !values.only || values.only.split(',').includes(name);
const seconds = Number(values.seconds ?? (values.short ? 60 : 600));
const hours = Number(values.hours ?? (values.short ? 4 : 24));

const root = await mkdtemp(path.join(os.tmpdir(), 'tidemark-bench-'));
const sections: Section[] = [];
const targets: string[][] = [];
const target = (what: string, measured: string, reached: boolean) =>
  targets.push([what, measured, reached ? 'yes' : 'no']);

/** Each part has a server of its own: what one leaves does not weigh on the next. */
async function on<T>(work: (url: string) => Promise<T>): Promise<T> {
  await using server = await startPostgres({ settings: { shared_buffers: '512MB', max_wal_size: '4GB' } });
  return await work(server.url());
}

if (wanted('fresh')) {
  const [section, found] = await on((url) => freshness(root, url, Math.min(seconds, 120)));
  sections.push(section);
  target(
    'from commit to staged at "@every 5s", 1,000 changes a second on 20 tables: median under 6 s',
    `${found.median.toFixed(2)} s`,
    found.median < 6,
  );
}
if (wanted('fresh-s3')) {
  await using s3 = await startDistantS3(20);
  if (s3) {
    sections.push(await on((url) => keptOrNot(url, s3, values.short ? 10 : 40)));
    const [section, found] = await on((url) => freshness(root, url, Math.min(seconds, 120), s3));
    sections.push(section);
    target(
      'the same to an S3 server with 20 ms for each answer: median under 6 s',
      `${found.median.toFixed(2)} s`,
      found.median < 6,
    );
  }
}
if (wanted('day')) {
  const [section, found] = await on((url) => simulatedDay(root, url, hours));
  sections.push(section);
  for (const { what, measured, reached } of found) target(what, measured, reached);
}
if (wanted('idle')) {
  const [section, found] = await on((url) => idleDaemon(root, url, seconds));
  sections.push(section);
  target('200 idle tables: under 1% of one core', `${found.cpuPercent.toFixed(2)}%`, found.cpuPercent < 1);
  target('under 150 MB', `${found.rssMb.toFixed(0)} MB`, found.rssMb < 150);
}
sections.push({ title: 'Targets', head: ['', 'measured', 'reached'], rows: targets });

await rm(root, { recursive: true, force: true });
if (values.short || values.only) printSections(sections);
else await writeResults({ name: 'daemon', title: 'Daemon', sections, rounds: 1 });
