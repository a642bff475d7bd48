/**
 * Moves the manifest of a table's old runs from the state store into the lake. Invariant: an archive is durable before its runs leave the
 * state store, one transaction exchanges the one for the other, and the lease's token in an archive's name keeps it from whoever comes later.
 */

import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Lake } from '../lake/lake.ts';
import { TidemarkError } from '../model/error.ts';
import { displayName, type TableName } from '../model/table.ts';
import type { Archive, ArchivedRun } from '../state/archives.ts';
import type { Lease } from '../state/leases.ts';
import type { StateStore } from '../state/state-store.ts';
import { underLease } from '../state/under-lease.ts';
import { encodeArchive, readArchive } from './archive-file.ts';
import { joinable, summaryOf } from './summary.ts';

export type ArchiveDeps = {
  state: StateStore;
  lake: Lake;
  log: Pick<Logger, 'warn'>;
  /** Named places; a no-op but in tests that kill the process there. */
  step: (name: string) => Promise<void>;
};

export type ArchiveOrder = {
  name: TableName;
  folder: string;
  /** Runs that were committed less long ago stay. */
  retentionMs: number;
  /** Only count what would go. */
  dryRun: boolean;
  /** Who holds the lease, for people: host and process. */
  holder: string;
  leaseMs: number;
  /** Milliseconds since 1970. */
  now: number;
  /** Default: as below; tests have smaller ones. */
  limits?: Partial<typeof LIMITS>;
};

const LIMITS = {
  /** The newest runs stay whatever their age: pages that show them need no archive. */
  keep: 200,
  /** Runs that are worth an archive. */
  least: 100,
  /** Runs and files of one archive, which is read whole: some megabytes in memory. */
  most: 10_000,
  /** So many archives of a table, then neighbours are joined. */
  archives: 16,
};

/** Resolves to how many runs left the state store, or would; 0 also where another process is at it, or the table is paused. Repeatable. */
export async function archiveTable(deps: ArchiveDeps, order: ArchiveOrder, signal: AbortSignal): Promise<number> {
  const { state } = deps;
  const { name, folder, holder, leaseMs, retentionMs } = order;
  const { least, keep } = { ...LIMITS, ...order.limits };
  const waiting = await state.archiving.countOldRuns(folder, { olderThanMs: retentionMs, keep }, signal);
  if (waiting < least) return 0;
  if (order.dryRun) return waiting;
  const [found] = await state.acquire('archive', [{ name, folder }], holder, leaseMs, signal);
  if (found.state === 'held') return 0;
  const { lease } = found;
  return underLease(deps, { lease, ttlMs: leaseMs }, (both) => archive(deps, order, lease, both), signal);
}

async function archive(deps: ArchiveDeps, order: ArchiveOrder, lease: Lease, signal: AbortSignal): Promise<number> {
  const { keep, most, archives: many } = { ...LIMITS, ...order.limits };
  const old = { olderThanMs: order.retentionMs, keep };
  let count = 0;
  for (;;) {
    const runs = await deps.state.archiving.oldRuns(order.folder, old, most, signal);
    if (runs.length === 0) break;
    await deps.step('archive-read');
    await land(deps, order, lease, runs, [], signal);
    count += runs.length;
  }
  const { archives, through } = await deps.state.archiving.archives(order.folder, signal);
  if (archives.length > many) {
    for (const group of joinable(archives, through, most)) {
      const runs: ArchivedRun[] = [];
      for (const each of group) runs.push(...(await readArchive(deps.lake, each, signal)));
      await land(deps, order, lease, runs, group, signal);
    }
  }
  await removeReplaced(deps, order, lease, signal);
  await deps.step('archived');
  return count;
}

/** Lets a new archive stand for what the runs are in: rows of the state store, or older archives. */
async function land(
  { state, lake, step }: ArchiveDeps,
  { name, folder }: ArchiveOrder,
  lease: Lease,
  runs: ArchivedRun[],
  replaces: Archive[],
  signal: AbortSignal,
): Promise<void> {
  const [from, to] = [runs[0].run, runs.at(-1)!.run];
  const key = `${prefixOf(folder, state.id)}${number(from)}-${number(to)}-${lease.token}-${randomBytes(4).toString('hex')}.jsonl.zst`;
  if ((await lake.putIfAbsent(key, await encodeArchive(runs, folder), signal)) === 'exists') {
    throw new TidemarkError('LAKE_KEY_TAKEN', 'another file has this name', { key, table: displayName(name) });
  }
  await step('archive-landed');
  await state.archiving.noteArchive(
    lease,
    summaryOf(key, runs),
    replaces.map((each) => each.key),
    signal,
  );
  await step('archive-noted');
}

// Not below raw/: programs that read raw files would come by, and rules that expire old raw files would take the manifest of all.
function prefixOf(folder: string, store: string): string {
  return `_manifest/${folder}/${store.replaceAll('-', '').slice(0, 12)}/`;
}

const number = (run: bigint) => String(run).padStart(12, '0');

/**
 * Archives that no row names: replaced ones, and what a killed process left. Only those of leases before this one, none of which can
 * note anything any more; and only once they are older than the retention, so that a state store restored from a backup finds its own.
 */
async function removeReplaced(
  { state, lake }: ArchiveDeps,
  { folder, retentionMs, now }: ArchiveOrder,
  lease: Lease,
  signal: AbortSignal,
): Promise<void> {
  const old: string[] = [];
  for await (const { key, modified } of lake.list(prefixOf(folder, state.id), signal)) {
    const [, token] = /-(\d+)-[0-9a-f]{8}\.jsonl\.zst$/.exec(key) ?? [];
    if (token && BigInt(token) < lease.token && modified.getTime() < now - retentionMs) old.push(key);
  }
  if (old.length === 0) return;
  const named = new Set((await state.archiving.archives(folder, signal)).archives.map(({ key }) => key));
  await lake.delete(
    old.filter((key) => !named.has(key)),
    signal,
  );
}
