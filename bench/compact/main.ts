/**
 * The compaction's benchmark: `npm run bench:compact [-- --rounds 3 --only recent,spread,many,life,versions --sizes 2000000,6000000 --life 200 --peers]`.
 * Contenders take turns within each round, each on a copy of the same base; medians of the rounds go to bench/results.md.
 * `--peers`: without tidemark, and without writing results.
 */

import { mkdtempDisposable } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '../../test/support/postgres-server.ts';
import { printSections, type Section, writeResults } from '../report.ts';
import { compare, deltaRs, duckdb, ours } from './contenders.ts';
import { type Life, life } from './life.ts';
import { preparePython } from './python.ts';
import { baseSection, lifeSection, NOTES, openSection, targetSection, workloadSection } from './sections.ts';
import { makeStage, prepare, type Stage } from './stage.ts';
import { type Measurement, targets } from './targets.ts';
import { openVersions } from './versions.ts';
import { WORKLOADS } from './workloads.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    sizes: { type: 'string', default: '2000000,6000000' },
    only: { type: 'string' },
    life: { type: 'string', default: '200' },
    peers: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const wanted = (name: string) => !values.only || values.only.split(',').includes(name);
const began = performance.now();
const say = (text: string) => console.log(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}`);

await preparePython();
await using server = await startPostgres({
  settings: { shared_buffers: '1GB', max_wal_size: '8GB' },
});
await using temporary = await mkdtempDisposable(path.join(os.tmpdir(), 'tidemark-bench-'));
const root = temporary.path;
const sections: Section[] = [];
const stages: Stage[] = [];
const measured: Measurement[] = [];
let lived: Life | null = null;

for (const size of values.sizes
  .split(',')
  .map(Number)
  .filter((rows) => rows > 0)) {
  say(`${size} rows: making the base`);
  const stage = await makeStage(server, root, size, !values.peers);
  stages.push(stage);
  for (const workload of WORKLOADS.filter(({ name }) => wanted(name))) {
    say(`${size} rows: ${workload.title}`);
    const prepared = await prepare(stage, workload);
    const contenders = [
      ...(values.peers ? [] : [ours(stage, prepared, 'rewrite')]),
      ...(values.peers || workload.name === 'recent' ? [] : [ours(stage, prepared, 'vectors')]),
      deltaRs(stage, prepared, 'streamed'),
      deltaRs(stage, prepared, 'whole'),
      duckdb(stage, prepared),
    ];
    const results = await compare(contenders, rounds);
    measured.push({ stage, workload: workload.name, results });
    sections.push(workloadSection(stage, workload, results));
  }
  // Once, at the first size.
  if (!values.peers && wanted('life') && !lived) {
    say(`${size} rows: ${values.life} compactions`);
    lived = await life(stage, Number(values.life));
    sections.push(lifeSection(size, lived));
  }
}
if (wanted('versions')) say('a log of 10,000 versions');
const opened = wanted('versions') ? await openVersions(root, 10_000, rounds) : null;
if (opened) sections.push(openSection(opened));
if (stages.length > 0) sections.unshift(baseSection(stages));
if (!values.peers) sections.unshift(targetSection(targets(measured, lived, opened)));
say('done');
if (values.peers) printSections(sections);
else await writeResults({ name: 'compact', title: 'Compact', sections, rounds, notes: NOTES });
