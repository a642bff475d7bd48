/** A state store with committed runs whose raw files do not exist, and a lake for archives; for tests of the manifest alone. */

import type { Lake } from '../../src/lake/lake.ts';
import { type ArchiveDeps, type ArchiveOrder, archiveTable } from '../../src/manifest/archive-table.ts';
import { Manifest } from '../../src/manifest/manifest.ts';
import type { RawFileOfRun } from '../../src/state/raw-files.ts';
import type { RawRun, Until } from '../../src/state/raw-runs.ts';
import type { StateStore } from '../../src/state/state-store.ts';
import { never, PLAN, prepare, silent, take } from '../support/state.ts';

/** `minutes`: of its snapshot, after PLAN's. */
export type RunSpec = { full?: boolean; repeats?: boolean; minutes?: number };

/** Commits the runs; returns their numbers. */
export async function commitRuns(state: StateStore, folder: string, specs: RunSpec[]): Promise<bigint[]> {
  const { lease } = await take(state, folder);
  const runs: bigint[] = [];
  for (const { full = false, repeats, minutes = 0 } of specs) {
    const snapshotAt = instantAt(minutes);
    const range = { cursor: 'updated_at', since: '2026-01-01', until: null };
    const run = await prepare(state, lease, { full, snapshotAt, ...(repeats && { repeats: range }) });
    await state.commit(lease, run, never);
    runs.push(run);
  }
  await state.release([lease]);
  return runs;
}

/** So many minutes after PLAN's snapshot. */
const instantAt = (minutes: number) => PLAN.snapshotAt + BigInt(minutes) * 60_000_000n;

/** The staged table holds everything up to that run. */
export async function stage(state: StateStore, folder: string, throughRun: bigint): Promise<void> {
  const { lease } = await take(state, folder, 'compacting', 60_000, 'compact');
  const known = { version: 1n, rows: 1n, files: 1n, bytes: 1n };
  await state.staged(lease, { ...known, throughRun, compacted: true }, never);
  await state.release([lease]);
}

/** Everything may go but the newest run, into archives as small as they can be. */
export const SMALL = { least: 1, keep: 1, most: 12, archives: 3 };

export function archive(
  { state, lake, step = async () => {} }: Pick<ArchiveDeps, 'state' | 'lake'> & Partial<Pick<ArchiveDeps, 'step'>>,
  folder: string,
  order: Partial<ArchiveOrder> = {},
): Promise<number> {
  const whose = { name: { schema: 'public', table: folder }, folder, holder: 'test', leaseMs: 60_000 };
  const how = { retentionMs: 0, dryRun: false, now: Date.now(), limits: SMALL };
  return archiveTable({ state, lake, log: silent, step }, { ...whose, ...how, ...order }, never);
}

/** All pages. */
export async function allRuns(manifest: Manifest, folder: string, after: bigint, until: Until = {}): Promise<RawRun[]> {
  const found: RawRun[] = [];
  for (let from = after; ; from = found.at(-1)!.run) {
    const page = await manifest.runs(folder, from, until, never);
    if (page.length === 0) return found;
    found.push(...page);
  }
}

/** All pages. */
export async function allFiles(manifest: Manifest, folder: string): Promise<RawFileOfRun[]> {
  const found: RawFileOfRun[] = [];
  for (let from = 0n; ; from = found.at(-1)!.run) {
    const page = await manifest.files(folder, from, 3, never);
    if (page.length === 0) return found;
    found.push(...page);
  }
}

/** What readers of the manifest are told, whatever they ask. */
export async function answers(sources: { state: StateStore; lake: Lake }, folder: string, runs: bigint[]) {
  const manifest = new Manifest(sources);
  const some = [0.2, 0.5, 0.8].map((share) => runs[Math.floor(runs.length * share)]);
  const untils: Until[] = [
    {},
    ...some.map((run) => ({ run })),
    ...[-1, 5, 40, 90].map((minutes) => ({ at: instantAt(minutes) })),
    { run: runs[Math.floor(runs.length / 2)], at: instantAt(40) },
  ];
  const told: { after: bigint; until: Until; runs: RawRun[] }[] = [];
  for (const after of [0n, ...some]) {
    for (const until of untils) told.push({ after, until, runs: await allRuns(manifest, folder, after, until) });
  }
  const staged = (await sources.state.stagedOf([folder], never)).get(folder);
  const [status] = (await sources.state.status()).filter((each) => each.folder === folder);
  return { told, files: await allFiles(manifest, folder), staged, status };
}

/** Where the table's runs are now. */
export async function places(state: StateStore, folder: string) {
  const { archives } = await state.archiving.archives(folder, never);
  const live = (await state.tableRuns(folder, 1_000, never)).map(({ run }) => run).reverse();
  return { archived: archives.map(({ fromRun, toRun, runs }) => ({ fromRun, toRun, runs })), live };
}

export async function archiveKeys(lake: Lake, folder: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of lake.list(`_manifest/${folder}/`, never)) keys.push(key);
  return keys;
}
