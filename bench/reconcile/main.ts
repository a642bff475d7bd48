/**
 * The benchmark of reconciliations: `npm run bench:reconcile [-- --rounds 5 --rows 6000000]`. Held against what only reads the keys, in
 * turns. Each round finds the same rows, for nothing is compacted in between.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import pg from 'pg';
import { ROOT, startPostgres } from '../../test/support/postgres-server.ts';
import { tidemarkFolder } from '../export/contenders.ts';
import { createLineitem } from '../export/lineitem.ts';
import { type Measured, measure, median } from '../measure.ts';
import { type Section, writeResults } from '../report.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, rows: { type: 'string', default: '6000000' } },
});
const rounds = Number(values.rounds);
const count = Number(values.rows);
const TIDEMARK = path.join(ROOT, 'bin/tidemark');
const run = promisify(execFile);

await using server = await startPostgres({ settings: { shared_buffers: '1GB', max_wal_size: '8GB' } });
const root = await mkdtemp(path.join(os.tmpdir(), 'tidemark-bench-'));
const url = server.url();
const client = new pg.Client({ connectionString: url });
await client.connect();
const rows = count.toLocaleString('en-US');
const sections = [
  await reconciled('lineitem', 'l_id', `lineitem, ${rows} rows x 18 columns, a bigint key`, (table) =>
    createLineitem(client, table, count),
  ),
  await reconciled('documents', 'id', `documents, ${rows} rows of 300 bytes, a uuid key`, createUuids),
];
await client.end();
await rm(root, { recursive: true, force: true });
await writeResults({ name: 'reconcile', title: 'Reconciliations', sections, rounds });

async function createUuids(table: string): Promise<void> {
  await client.query(
    `create table ${table} (id uuid primary key, body text not null, updated_at timestamptz not null)`,
  );
  await client.query(
    `insert into ${table} select md5(i::text)::uuid, repeat(md5(i::text || 'b'), 8), now() from generate_series(1, ${count}) i`,
  );
  await client.query(`vacuum (analyze, freeze) ${table}`);
}

/** A thousandth of the rows is deleted. */
async function reconciled(
  table: string,
  key: string,
  title: string,
  create: (table: string) => Promise<void>,
): Promise<Section> {
  console.log(`\n${title}: making the table`);
  await create(table);
  const cwd = await tidemarkFolder(
    root,
    table,
    url,
    `tables:\n  - table: ${table}\nstate:\n  schema: tidemark_${table}\n`,
  );
  await run(TIDEMARK, ['export', '--table', table], { cwd });
  await run(TIDEMARK, ['compact', '--table', table], { cwd });
  await client.query(`delete from ${table} where hashtext(${key}::text) % 1000 = 0`);
  await client.query(`vacuum ${table}`);
  const contenders = [
    { name: 'tidemark reconcile', command: [TIDEMARK, 'reconcile', '--table', table] },
    {
      name: 'psql copy of the keys, thrown away',
      command: ['psql', url, '-X', '-q', '-c', `copy (select ${key} from ${table}) to stdout (format binary)`],
    },
    {
      name: 'psql copy of the table, thrown away',
      command: ['psql', url, '-X', '-q', '-c', `copy ${table} to stdout (format binary)`],
    },
  ];
  const measured = new Map<string, Measured[]>(contenders.map(({ name }) => [name, []]));
  // One round that does not count: the table comes into the cache.
  for (let round = -1; round < rounds; round++) {
    for (const { name, command } of contenders) {
      const taken = await measure(command, { cwd });
      if (round >= 0) measured.get(name)!.push(taken);
    }
  }
  const walls = [...measured.values()].map((runs) => median(runs.map(({ wall }) => wall)));
  return {
    title,
    head: ['', 'wall s', 'tidemark / it', 'client CPU s', 'peak RSS MB'],
    rows: [...measured].map(([name, runs], i) => [
      name,
      walls[i].toFixed(2),
      i === 0 ? '' : (walls[0] / walls[i]).toFixed(2),
      median(runs.map(({ cpu }) => cpu)).toFixed(2),
      median(runs.map(({ rssMb }) => rssMb)).toFixed(0),
    ]),
  };
}
