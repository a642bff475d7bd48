/** Killed at every named step of a reconciliation: the next export or reconciliation repairs it, and the staged table comes right. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLake } from '../../src/lake/open.ts';
import { bucketLake, folderLake, type TestLake } from '../crash/scene.ts';
import { stepsNamedIn } from '../crash/stage.ts';
import { createCompactor } from '../support/compactor.ts';
import { createExporter } from '../support/exporter.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { type ReconcileScene, reconcilerOf, STEPS } from '../support/reconciler.ts';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import type { ReconcileOrder } from './run-reconcile.ts';

const CHILD = fileURLToPath(new URL('./run-reconcile.ts', import.meta.url));

type Scene = Omit<ReconcileScene, 'numbers' | typeof Symbol.asyncDispose> & { place: TestLake };

const stack = new AsyncDisposableStack();
let server: S3Server;
const scenes = new Map<string, Scene>();
const struck = new Set<string>();

beforeAll(async () => {
  server = stack.use(await startS3Server());
  for (const kind of ['folder', 'bucket']) {
    const db: TestDatabase = stack.use(await createDatabase());
    const place = stack.use(kind === 'folder' ? await folderLake() : bucketLake(server));
    const exporter = stack.use(await createExporter(db.url, { lake: stack.use(await openLake(place.config)) }));
    const compactor = stack.use(await createCompactor(exporter));
    scenes.set(kind, { db, ...reconcilerOf(exporter, compactor), place });
  }
});
afterAll(() => stack.disposeAsync());

let tables = 0;

/** Five staged rows, two of which the source has no more, and one that it has again under a new key. */
async function newTable({ db, stage }: Scene): Promise<string> {
  const table = `t${++tables}`;
  await db.query(`create table ${table} (id int primary key, updated_at timestamptz not null default now())`);
  await db.query(`insert into ${table} select generate_series(1, 5)`);
  await stage(table);
  await db.query(`delete from ${table} where id in (2, 4)`);
  return table;
}

async function dies({ db, place }: Scene, table: string, at: string): Promise<void> {
  const order: ReconcileOrder = { url: db.url, lake: place.config, table, at };
  const env = { ...process.env, NODE_COMPILE_CACHE: path.join(os.tmpdir(), 'tidemark-test-compile-cache') };
  const child = spawn(process.execPath, [CHILD, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'inherit'], env });
  let said = '';
  child.stdout.on('data', (data) => {
    said += data;
  });
  const [, signal] = await once(child, 'close');
  expect({ at, signal, said }).toEqual({ at, signal: 'SIGKILL', said: '' });
  struck.add(at);
  await db.query(
    `update tidemark.lease l set expires_at = clock_timestamp() from tidemark.source_table t
     where t.id = l.table_id and t.folder = $1 and l.holder is not null`,
    [table],
  );
}

/** Nothing is left anywhere that no run names, and no run is open. */
async function isClean({ db, place }: Scene, table: string): Promise<void> {
  expect(await place.uploads(table)).toEqual([]);
  const manifest = await db.query<{ key: string }>(
    `select key from tidemark.raw_file join tidemark.run using (run) join tidemark.source_table t on t.id = table_id
     where folder = $1 and state = 'committed' order by 1`,
    [table],
  );
  expect((await place.keys(table)).sort()).toEqual(manifest.map(({ key }) => key));
  const open = await db.query(
    `select run from tidemark.run r join tidemark.source_table t on t.id = table_id
     where folder = $1 and r.state in ('planned', 'prepared')`,
    [table],
  );
  expect(open).toEqual([]);
}

/** From here on the next one rolls it forward. */
const PREPARED = STEPS.indexOf('prepared');

// A process costs a second: in a bucket only what differs there.
describe.each([
  ['folder', STEPS.filter((step) => step !== 'completed')],
  ['bucket', ['uploaded', 'file-completed']],
])('lake in a %s', (kind, steps) => {
  test.each(steps)('killed at %s, and reconciled again', async (at) => {
    const scene = scenes.get(kind)!;
    const table = await newTable(scene);
    await dies(scene, table, at);
    // What a dead one has written is no staged row less yet, so that both bring it: the second one is as good.
    expect(await scene.settle(table)).toMatchObject({ state: 'committed', deleted: 2n });
    expect(await scene.staged(table)).toEqual(['1', '3', '5']);
    await isClean(scene, table);
  });
});

test.each(['uploaded', 'prepared', 'completed'])(
  'killed at %s, and a row comes again before the next export',
  async (at) => {
    const scene = scenes.get('folder')!;
    const table = await newTable(scene);
    await dies(scene, table, at);
    await scene.db.query(`insert into ${table} values (2)`);
    expect(await scene.stage(table)).toMatchObject({ rows: 1n });
    await isClean(scene, table);
    // The export settles it: what was prepared counts, anything else is to be found again.
    const counts = STEPS.indexOf(at) >= PREPARED;
    expect(await scene.staged(table)).toEqual(counts ? ['1', '2', '3', '5'] : ['1', '2', '3', '4', '5']);
    await scene.settle(table);
    expect(await scene.staged(table)).toEqual(['1', '2', '3', '5']);
  },
);

test('the steps above are all that the code names', async () => {
  const named = await stepsNamedIn('src/reconcile');
  expect(named.filter((step) => !STEPS.includes(step))).toEqual([]);
  expect(STEPS.filter((step) => !struck.has(step))).toEqual([]);
});
