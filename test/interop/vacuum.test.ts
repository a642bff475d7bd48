/** Other engines on staged tables after many compactions and a vacuum: the newest version, and those within the retention. */

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { duckCheckpoints } from '../../src/compact/delta/checkpoint-duck.ts';
import { vacuum } from '../../src/compact/vacuum.ts';
import { Duck } from '../../src/duckdb/duck.ts';
import { openLake } from '../../src/lake/open.ts';
import { runHere } from '../support/cli.ts';
import { type ExportScene, exportScene } from '../support/export-scene.ts';
import { pythonAvailable } from '../support/python.ts';
import { type DeltaReader, readWithDeltaRs, readWithDuckdb } from './delta-support.ts';

const READ: Record<DeltaReader, typeof readWithDeltaRs> = { 'delta-rs': readWithDeltaRs, duckdb: readWithDuckdb };
const DAY = 86_400_000;
const VERSIONS = 12;
const python = await pythonAvailable();

let scene: ExportScene;

beforeAll(async () => {
  scene = await exportScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const tidemark = async (args: string[], merge: string) => {
  const config = { source: { url: scene.db.url }, lake: 'file:./lake', defaults: { merge } };
  const file = `${merge}.yaml`;
  await writeFile(path.join(scene.cwd, file), JSON.stringify(config));
  const ended = await runHere([...args, '--config', file], { cwd: scene.cwd });
  expect(ended).toMatchObject({ code: 0 });
};

async function vacuumAfter(table: string, days: number): Promise<number> {
  const temporary = await mkdtemp(path.join(os.tmpdir(), 'tidemark-vacuum-'));
  const settings = { memoryBytes: 100e6, threads: 1, tempFolder: temporary, tempBytes: 1e9 };
  await using duck = await Duck.open(settings);
  await using lake = await openLake({ url: 'file:./lake', baseDir: scene.cwd });
  const checkpoints = duckCheckpoints({ duck: async () => duck, folder: temporary });
  const order = { retentionMs: 7 * DAY, dryRun: false, now: Date.now() + days * DAY, onFile: () => {} };
  const found = await vacuum({ lake, root: `staged/${table}`, checkpoints }, order, new AbortController().signal);
  await rm(temporary, { recursive: true });
  return found!.files;
}

describe.skipIf(!python).each(['rewrite', 'vectors'])('merge: %s', (merge) => {
  const table = `t_${merge}`;
  const ids = async (read: typeof readWithDeltaRs, version?: number) =>
    (await read(path.join(scene.cwd, 'lake/staged', table), { version })).map(({ id }) => id);
  const wanted = async () =>
    (await scene.db.query<{ id: string }>(`select id::text from ${table} order by ${table}.id`)).map(({ id }) => id);
  let first: string[];

  beforeAll(async () => {
    await scene.table(table, 200);
    await tidemark(['export', '--table', table], merge);
    await tidemark(['compact', '--table', table], merge);
    first = await wanted();
    for (let n = 1; n < VERSIONS; n++) {
      await scene.db.query(
        `insert into ${table} values (${200 + n}); update ${table} set updated_at = clock_timestamp() where id % 40 = ${n}`,
      );
      await tidemark(['export', '--table', table], merge);
      await tidemark(['compact', '--table', table], merge);
    }
  });

  test.each(['delta-rs', 'duckdb'] as const)(
    '%s reads old versions until their retention is over, and the newest always',
    async (reader) => {
      expect(await ids(READ[reader])).toEqual(await wanted());
      expect(await vacuumAfter(table, 6)).toBe(0);
      expect(await ids(READ[reader], 0)).toEqual(first);
    },
  );

  test('the newest version is whole after everything else went', async () => {
    const log = async () => (await readdir(path.join(scene.cwd, 'lake/staged', table, '_delta_log'))).length;
    const before = await log();
    expect(await vacuumAfter(table, 40)).toBeGreaterThan(0);
    expect(await log()).toBeLessThan(before - 8);
    for (const reader of ['delta-rs', 'duckdb'] as const) expect(await ids(READ[reader])).toEqual(await wanted());
  });
});
