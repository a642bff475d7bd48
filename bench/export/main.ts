/**
 * The export's benchmark: `npm run bench:export [-- --rounds 5 --only lineitem,idle]`. Contenders take turns within each
 * round, so that a machine that slows down slows all of them; medians of the rounds go to bench/results.md.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startPostgres } from '../../test/support/postgres-server.ts';
import { type Measured, measure, median } from '../measure.ts';
import { type Section, writeResults } from '../report.ts';
import { type Contender, duckdb, psql, tidemark, tidemarkFolder } from './contenders.ts';
import { createLineitem } from './lineitem.ts';
import { changedRows, idleTables, startUp } from './small-runs.ts';
import { createDocuments, createWide } from './tables.ts';
import { ways } from './ways.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    large: { type: 'string', default: '6000000' },
  },
});
const rounds = Number(values.rounds);
const wanted = (name: string) => !values.only || values.only.split(',').includes(name);

await using server = await startPostgres({ settings: { shared_buffers: '1GB', max_wal_size: '8GB' } });
const root = await mkdtemp(path.join(os.tmpdir(), 'tidemark-bench-'));
const url = server.url();
const client = new pg.Client({ connectionString: url });
await client.connect();
const sections: Section[] = [];

const large = Number(values.large);
if (wanted('lineitem')) {
  await whole('lineitem', 'lineitem, 2,000,000 rows x 18 columns', (t) => createLineitem(client, t, 2_000_000));
  await whole('lineitem_large', `lineitem, ${large.toLocaleString('en-US')} rows x 18 columns`, (t) =>
    createLineitem(client, t, large),
  );
}
if (wanted('documents'))
  await whole('documents', 'documents, 500,000 rows: jsonb of 1 KB, uuid keys, NULLs', (t) =>
    createDocuments(client, t, 500_000),
  );
if (wanted('wide')) await whole('wide', 'wide, 100,000 rows x 200 columns', (t) => createWide(client, t, 100_000));
if (wanted('small')) {
  const table = 'lineitem_large';
  if (!wanted('lineitem')) await createLineitem(client, table, large);
  sections.push(
    await changedRows(
      client,
      await tidemarkFolder(root, 'changed', url, `tables:\n  - table: ${table}\nstate:\n  schema: tidemark_changed\n`),
      table,
      rounds,
    ),
  );
}
if (wanted('ways')) {
  const table = 'lineitem_large';
  if (!wanted('lineitem') && !wanted('small')) await createLineitem(client, table, large);
  sections.push(...(await ways({ root, url, dataDir: server.dataDir, client, table, rounds })));
}
if (wanted('idle')) sections.push(await idleTables(client, root, url, rounds));
if (wanted('start')) sections.push(await startUp(rounds));

await client.end();
await rm(root, { recursive: true, force: true });
await writeResults({ name: 'export', title: 'Export', sections, rounds });

/** Exports the whole of a table by every contender in turn. */
async function whole(table: string, title: string, create: (table: string) => Promise<void>): Promise<void> {
  console.log(`\n${title}: making the table`);
  await create(table);
  const contenders: Contender[] = [
    await tidemark(root, url, table),
    psql(url, table, 'csv'),
    psql(url, table, 'binary'),
    await duckdb(root, url, table),
  ];
  const measured = new Map<string, (Measured & { bytes: number })[]>(contenders.map(({ name }) => [name, []]));
  // One round that does not count: the table comes into the cache.
  for (let round = -1; round < rounds; round++) {
    for (const contender of contenders) {
      await contender.reset();
      const taken = { ...(await measure(contender.command, { cwd: contender.cwd })), bytes: await contender.bytes() };
      if (round >= 0) measured.get(contender.name)!.push(taken);
    }
  }
  const rows = [...measured].map(([name, runs]) => ({
    name,
    wall: median(runs.map((r) => r.wall)),
    cpu: median(runs.map((r) => r.cpu)),
    rssMb: median(runs.map((r) => r.rssMb)),
    bytes: median(runs.map((r) => r.bytes)),
  }));
  const [ours] = rows;
  sections.push({
    title,
    head: ['', 'wall s', 'tidemark / it', 'client CPU s', 'peak RSS MB', 'output MB'],
    rows: rows.map((row) => [
      row.name,
      row.wall.toFixed(2),
      row === ours ? '' : (ours.wall / row.wall).toFixed(2),
      row.cpu.toFixed(2),
      row.rssMb.toFixed(0),
      row.bytes > 0 ? (row.bytes / 1e6).toFixed(1) : '',
    ]),
  });
}
