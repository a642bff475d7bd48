/**
 * Writers at work, tables turned inside out under them, two exporting processes killed again and again: at the end each row
 * is in raw/ in its last version, and no version twice but where docs/how-it-works.md says that a run may repeat.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from '../../support/cli.ts';
import { createDatabase } from '../../support/postgres.ts';
import { findings, missedByWatermark, rawVersions } from '../../support/torture-checks.ts';
import { type Counts, exportsWhile } from '../../support/torture-exports.ts';
import { prepareUpheavals, UPHEAVALS, upheavals } from '../../support/torture-upheavals.ts';
import { createTortureTables, TORTURE_TABLES, write } from '../../support/torture-writers.ts';

const SECONDS = Number(process.env.TIDEMARK_TORTURE_SECONDS ?? 20);
const SEED = Number(process.env.TIDEMARK_TORTURE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const WRITERS = 10;
/** TIDEMARK_TORTURE_UPHEAVALS: only these, to find out which one it was. */
const KINDS = process.env.TIDEMARK_TORTURE_UPHEAVALS?.split(',') ?? Object.keys(UPHEAVALS);

async function workFolder(): Promise<{ cwd: string } & AsyncDisposable> {
  const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-torture-'));
  await writeFile(
    path.join(cwd, 'tidemark.yaml'),
    `source: { url: '\${DATABASE_URL}', connections: 5 }
lake: file:./lake
defaults: { margin: 1s, chunk: 1MB }
tables:
  - table: public.*
`,
  );
  return { cwd, [Symbol.asyncDispose]: () => rm(cwd, { recursive: true, force: true }) };
}

test(`${SECONDS} s of writers, upheavals and kills, seed ${SEED} (TIDEMARK_TORTURE_SEED)`, {
  timeout: (SECONDS + 5 * 60) * 1000,
}, async () => {
  console.log(`torture: TIDEMARK_TORTURE_SEED=${SEED} TIDEMARK_TORTURE_SECONDS=${SECONDS}`);
  await using db = await createDatabase();
  await using folder = await workFolder();
  const env = { DATABASE_URL: db.url };
  await createTortureTables(db.client);
  await prepareUpheavals(db.client);
  const stop = new AbortController();
  const writers = Array.from({ length: WRITERS }, (_, i) => write(db.url, SEED + i, stop.signal));
  const turned = upheavals(db.url, SEED, KINDS, stop.signal);
  const until = Date.now() + SECONDS * 1000;
  // On a slow machine longer: that much of what can happen must have happened.
  const goOn = ({ killed, chunked, ended }: Counts) =>
    Date.now() < until || (Date.now() < until + 120_000 && (killed < 1 || chunked < 1 || ended < 3));
  const both = [0, 1].map((i) => exportsWhile(goOn, folder.cwd, db, SEED + i));
  const counts = await Promise.all(both).finally(() => stop.abort());
  await Promise.all(writers);
  const done = await turned;
  // Of processes that were killed before they could be asked.
  await db.query(`update tidemark.lease set expires_at = clock_timestamp() where holder is not null;
    update tidemark.source_slot set expires_at = clock_timestamp()`);
  for (let again = 0; again < 2; again++) {
    const { code, stderr } = await runCli(['export', '--all'], { cwd: folder.cwd, env });
    expect({ code, stderr }).toMatchObject({ code: 0 });
  }
  let missed = 0;
  let versions = 0;
  const found: Record<string, unknown> = {};
  for (const table of TORTURE_TABLES) {
    const raw = await rawVersions(path.join(folder.cwd, 'lake'), table);
    found[table.name] = await findings(db, table, raw);
    const exists = await db.query<{ version: number }>(`select version from ${table.name}`);
    if (table.name === 'zoned' || table.name === 'triggered')
      missed += missedByWatermark(raw, new Set(exists.map((row) => row.version)));
    versions += raw.length;
  }
  console.log(`torture: ${JSON.stringify({ counts, upheavals: done, versions, missedByWatermark: missed })}`);
  const nothing = { lost: [], stale: [], twice: [], keyTwice: [] };
  expect(found).toEqual(Object.fromEntries(TORTURE_TABLES.map(({ name }) => [name, nothing])));
  const open = await db.query(`select run, state from tidemark.run where state in ('planned', 'prepared')`);
  expect(open).toEqual([]);
  // It has teeth: the usual way would have lost rows.
  expect(missed).toBeGreaterThan(0);
  expect(counts[0].killed + counts[1].killed).toBeGreaterThan(0);
  expect(counts[0].chunked + counts[1].chunked).toBeGreaterThan(0);
});
