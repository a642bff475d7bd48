/** What must hold of raw/ after everything, told from the files, the state store's list of runs, and the table. */

import path from 'node:path';
import { lakeRows } from './lake-rows.ts';
import type { TestDatabase } from './postgres.ts';
import { REPEATABLE } from './torture-upheavals.ts';
import type { TortureTable } from './torture-writers.ts';

export type RawVersion = { key: string; version: number; run: number; updatedAt: string | null };

export type Findings = {
  /** Versions of rows that exist and that no run since the last full one brought: a staged table would not have them. */
  lost: string[];
  /** Keys whose newest run has an older version than the table. */
  stale: string[];
  /** Versions that a run of changes brought though a run before had them, and nothing explains it. */
  twice: string[];
  /** Keys that are twice in one run: they would stop the staged table. */
  keyTwice: string[];
};

export async function rawVersions(lake: string, { name, key }: TortureTable): Promise<RawVersion[]> {
  const dated = name !== 'bare' ? ['updated_at'] : [];
  const rows = await lakeRows(path.join(lake, 'raw', name), [...key, 'version', '_tidemark_run', ...dated]);
  return rows.map((row) => ({
    key: key.map((column) => row[column]).join(' '),
    version: Number(row.version),
    run: Number(row._tidemark_run),
    updatedAt: row.updated_at ?? null,
  }));
}

export async function findings(db: TestDatabase, table: TortureTable, raw: RawVersion[]): Promise<Findings> {
  const { name, key } = table;
  const runs = await db.query<{ run: string }>(`select run from tidemark.run join tidemark.source_table on id = table_id
    where table_name = '${name}' and state = 'committed' and kind = 'export' and is_full`);
  const full = new Set(runs.map(({ run }) => Number(run)));
  const lastFull = Math.max(...full);
  const exists = await db.query<{ key: string; version: number }>(
    `select concat_ws(' ', ${key}) as key, version from ${name}`,
  );
  const repeatable = new Set(
    (await db.query<{ version: number }>(`select version from ${REPEATABLE}`)).map(({ version }) => version),
  );
  const since = new Set(raw.filter(({ run }) => run >= lastFull).map(({ version }) => version));
  const newest = new Map<string, RawVersion>();
  for (const row of raw) if (row.run >= (newest.get(row.key)?.run ?? 0)) newest.set(row.key, row);
  const stale = exists.filter(({ key, version }) => newest.has(key) && newest.get(key)!.version !== version);
  const known = new Set<number>();
  const twice: string[] = [];
  for (const row of raw.toSorted((a, b) => a.run - b.run)) {
    if (known.has(row.version) && !full.has(row.run) && !repeatable.has(row.version)) twice.push(show(row));
    known.add(row.version);
  }
  const inOneRun = new Set<string>();
  const keyTwice: string[] = [];
  for (const row of raw) {
    const place = `${row.run} ${row.key}`;
    if (inOneRun.has(place)) keyTwice.push(show(row));
    inOneRun.add(place);
  }
  const lost = exists.filter(({ version }) => !since.has(version));
  return {
    lost: some(lost.map(({ key, version }) => `key ${key} version ${version}`)),
    stale: some(stale.map(({ key, version }) => `key ${key} version ${version}: ${show(newest.get(key)!)} is newest`)),
    twice: some(twice),
    keyTwice: some(keyTwice),
  };
}

/** A few say what there is to know. */
const some = (all: string[]) => (all.length > 8 ? [...all.slice(0, 8), `and ${all.length - 8} more`] : all);

const show = ({ key, version, run }: RawVersion) => `key ${key} version ${version} run ${run}`;

/** Rows that exist and that a run found below what runs before had exported already: `updated_at > greatest` would have missed them. */
export function missedByWatermark(raw: RawVersion[], exists: Set<number>): number {
  const runs = Map.groupBy(raw, ({ run }) => run);
  let greatest = '';
  let missed = 0;
  for (const run of [...runs.keys()].sort((a, b) => a - b)) {
    const rows = runs.get(run)!;
    missed += rows.filter(
      ({ updatedAt, version }) => updatedAt !== null && updatedAt <= greatest && exists.has(version),
    ).length;
    for (const { updatedAt } of rows) if (updatedAt !== null && updatedAt > greatest) greatest = updatedAt;
  }
  return missed;
}
