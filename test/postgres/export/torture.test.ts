/** Writers at work, the command killed again and again: at the end each row is in raw/ in its last version, no version twice. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { runCli, startCli } from '../../support/cli.ts';
import { lakeRows } from '../../support/lake-rows.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { createTortureTables, seeded, TORTURE_TABLES, write } from '../../support/torture-writers.ts';

const SECONDS = Number(process.env.TIDEMARK_TORTURE_SECONDS ?? 20);
const SEED = Number(process.env.TIDEMARK_TORTURE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const WRITERS = 10;

type Row = Record<string, string | null>;

async function workFolder(): Promise<{ cwd: string } & AsyncDisposable> {
  const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-torture-'));
  await writeFile(
    path.join(cwd, 'tidemark.yaml'),
    `source: { url: '\${DATABASE_URL}', connections: 3 }
lake: file:./lake
defaults: { margin: 1s }
tables:
  - table: public.*
`,
  );
  return { cwd, [Symbol.asyncDispose]: () => rm(cwd, { recursive: true, force: true }) };
}

/** Exports until `until`, now and then with a process that is killed in the middle; how many of each there were. */
async function exportsUntil(until: number, cwd: string, db: TestDatabase): Promise<{ ended: number; killed: number }> {
  const random = seeded(SEED);
  const env = { DATABASE_URL: db.url };
  const counts = { ended: 0, killed: 0 };
  let usual = 1_500;
  while (Date.now() < until) {
    const began = Date.now();
    const running = startCli(['export', '--all', '--json'], { cwd, env });
    // Half of it is the start of the process, in which there is nothing to break.
    const kill = random() < 0.4 ? setTimeout(() => running.kill('SIGKILL'), usual * (0.4 + random() * 0.6)) : undefined;
    const { code, stdout, stderr } = await running.ended;
    clearTimeout(kill);
    if (code === null) {
      counts.killed++;
      // As if the leases' time were over.
      await db
        .query('update tidemark.lease set expires_at = clock_timestamp() where holder is not null')
        .catch(() => {});
    } else {
      expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
      counts.ended++;
      usual = Date.now() - began;
    }
    await sleep(random() * 200);
  }
  return counts;
}

/** Rows whose last version a run found below what runs before had exported already: `updated_at > greatest` would have missed them. */
function missedByWatermark(raw: Row[], last: Set<number>): number {
  const runs = Map.groupBy(raw, (row) => Number(row._tidemark_run));
  let greatest = '';
  let missed = 0;
  for (const run of [...runs.keys()].sort((a, b) => a - b)) {
    const rows = runs.get(run)!;
    const below = (row: Row) => row.updated_at !== null && row.updated_at <= greatest;
    missed += rows.filter((row) => below(row) && last.has(Number(row.version))).length;
    for (const { updated_at } of rows) if (updated_at !== null && updated_at > greatest) greatest = updated_at;
  }
  return missed;
}

test(`${SECONDS} s of writers and kills, seed ${SEED} (TIDEMARK_TORTURE_SEED)`, {
  timeout: (SECONDS + 120) * 1000,
}, async () => {
  console.log(`torture: TIDEMARK_TORTURE_SEED=${SEED} TIDEMARK_TORTURE_SECONDS=${SECONDS}`);
  await using db = await createDatabase();
  await using folder = await workFolder();
  await createTortureTables(db.client);
  const stop = new AbortController();
  const writers = Array.from({ length: WRITERS }, (_, i) => write(db.url, SEED + i, stop.signal));
  const counts = await exportsUntil(Date.now() + SECONDS * 1000, folder.cwd, db).finally(() => stop.abort());
  await Promise.all(writers);
  for (let again = 0; again < 2; again++) {
    const { code, stderr } = await runCli(['export', '--all'], { cwd: folder.cwd, env: { DATABASE_URL: db.url } });
    expect({ code, stderr }).toMatchObject({ code: 0 });
  }
  let missed = 0;
  let versions = 0;
  for (const { name } of TORTURE_TABLES) {
    const raw = await lakeRows(path.join(folder.cwd, 'lake/raw', name));
    const numbers = raw.map((row) => Number(row.version));
    const unique = new Set(numbers);
    expect({ name, twice: numbers.filter((number, i) => numbers.indexOf(number) !== i) }).toEqual({ name, twice: [] });
    const last = await db.query<{ version: number }>(`select version from ${name}`);
    const lost = last.filter(({ version }) => !unique.has(version));
    expect({ name, lost }).toEqual({ name, lost: [] });
    if (name === 'zoned' || name === 'triggered')
      missed += missedByWatermark(raw, new Set(last.map((row) => row.version)));
    versions += numbers.length;
  }
  const open = await db.query(`select run, state from tidemark.run where state in ('planned', 'prepared')`);
  expect(open).toEqual([]);
  console.log(`torture: ${JSON.stringify({ ...counts, versions, missedByWatermark: missed })}`);
  // It has teeth: the usual way would have lost rows.
  expect(missed).toBeGreaterThan(0);
  expect(counts.killed).toBeGreaterThan(0);
});
