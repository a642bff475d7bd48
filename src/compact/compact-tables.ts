/** Compacts several tables, one after another: each may take all the memory there is. Invariant: a failing table does not stop the others. */

import { TidemarkError, toTidemarkError } from '../model/error.ts';
import { keyOf, type WrittenColumn } from '../model/run.ts';
import { displayName } from '../model/table.ts';
import type { Acquired } from '../state/leases.ts';
import type { StagedStatus } from '../state/staged.ts';
import { underLease } from '../state/under-lease.ts';
import type { Compacted } from './compact-table.ts';
import { missingFile } from './missing-file.ts';
import { withMoreMemory } from './more-memory.ts';
import type { CompactProgress, CompactResult } from './result.ts';
import { throughRun } from './staging.ts';
import { rowsOf } from './table-size.ts';
import { type CompactDeps, type CompactSettings, NO_COUNTS } from './work.ts';

export type CompactRequest = {
  tables: CompactSettings[];
  optimize: boolean;
  /** From the raw files alone; `asOf` (microseconds since 1970): as it was then, into a folder of its own. */
  rebuild: { asOf: bigint | null } | null;
  fullSchema: boolean;
  /** Look into the lake also where the state store knows of nothing to do. */
  look: boolean;
  /** Who holds the leases, for people: host and process. */
  holder: string;
  leaseMs: number;
};

/** Results in the order of the tables. Throws only what concerns all of them: the state store away. */
export async function compactTables(
  deps: CompactDeps,
  request: CompactRequest,
  progress: CompactProgress,
  signal: AbortSignal,
): Promise<CompactResult[]> {
  const known = await deps.state.stagedOf(
    request.tables.map(({ folder }) => folder),
    signal,
  );
  const results: CompactResult[] = [];
  const idle = (settings: CompactSettings) => {
    const status = known.get(settings.folder);
    const wanted = request.look || request.optimize || request.rebuild !== null || request.fullSchema;
    return !wanted && status?.version != null && status.failure === null && status.waiting.runs === 0n ? status : null;
  };
  // Its native code loads while the lease is taken and the log is read.
  if (request.tables.some((table) => !idle(table))) deps.connect().catch(() => {});
  for (const settings of request.tables) {
    if (signal.aborted) break;
    const status = idle(settings);
    const result = status
      ? upToDate(settings, status)
      : await compactOne(deps, request, settings, known.get(settings.folder), progress, signal);
    if (!result) continue;
    results.push(result);
    progress.ended(result);
  }
  return results;
}

/** No result when everything is being stopped. */
async function compactOne(
  deps: CompactDeps,
  request: CompactRequest,
  settings: CompactSettings,
  status: StagedStatus | undefined,
  progress: CompactProgress,
  signal: AbortSignal,
): Promise<CompactResult | null> {
  const began = deps.now();
  const { name, folder } = settings;
  const common = { table: name, folder, version: null, throughRun: null, ...NO_COUNTS };
  const seconds = () => (deps.now() - began) / 1000;
  const [found] = await deps.state.acquire('compact', [{ name, folder }], request.holder, request.leaseMs, signal);
  if (found.state === 'held') return { ...common, ...found, seconds: seconds() };
  const compact = async (both: AbortSignal): Promise<CompactResult | null> => {
    try {
      progress.started(name, Number(status?.waiting.bytes ?? 0n));
      const log = deps.log.child({ table: displayName(name) });
      const done = await work(
        { ...deps, log },
        request,
        settings,
        found,
        (bytes) => progress.advanced(name, bytes),
        both,
      );
      await deps.step('noted');
      const { snapshot, counts, compacted } = done;
      return {
        ...common,
        ...counts,
        version: snapshot?.version ?? null,
        throughRun: snapshot ? throughRun(snapshot, deps.state.id) : null,
        ...(compacted ? { state: 'compacted' } : { state: 'nothing', unmerged: isUnmerged(found, status) }),
        seconds: seconds(),
      };
    } catch (error) {
      if (signal.aborted && !(signal.reason instanceof TidemarkError)) return null;
      const known = named(error, settings);
      const run = await deps.state.fail(found.lease, null, known).catch((later) => {
        deps.log.warn({ err: later, table: displayName(name) }, 'the failure could not be noted');
      });
      deps.log.debug({ err: error, table: displayName(name), run }, 'the compaction failed');
      return { ...common, state: 'failed', error: known, seconds: seconds() };
    }
  };
  return underLease(deps, { lease: found.lease, ttlMs: request.leaseMs }, compact, signal);
}

async function work(
  deps: CompactDeps,
  { optimize, rebuild, fullSchema }: CompactRequest,
  settings: CompactSettings,
  { lease, columns }: Acquired,
  progress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Compacted> {
  const task = { settings, columns: columns ?? ([] as WrittenColumn[]), optimize, fullSchema, progress };
  // Both load DuckDB's native code: 40 MB that a command which finds nothing to do goes without.
  const compact = async () =>
    rebuild
      ? (await import('./rebuild.ts')).rebuildTable(deps, task, rebuild.asOf, signal)
      : (await import('./compact-table.ts')).compactTable(deps, task, signal);
  const done = await withMoreMemory(compact, deps.moreMemory);
  if (done.snapshot === null || rebuild?.asOf) return done;
  const files = [...done.snapshot.files.values()];
  await deps.state.staged(
    lease,
    {
      version: BigInt(done.snapshot.version),
      throughRun: throughRun(done.snapshot, deps.state.id),
      rows: rowsOf(done.snapshot),
      files: BigInt(files.length),
      bytes: BigInt(files.reduce((sum, { size }) => sum + size, 0)),
      compacted: done.compacted,
      optimized: done.optimized,
    },
    signal,
  );
  return done;
}

function upToDate({ name, folder }: CompactSettings, { version, throughRun: through }: StagedStatus): CompactResult {
  const at = { version: Number(version), throughRun: through };
  return { table: name, folder, ...NO_COUNTS, ...at, state: 'nothing', unmerged: false, seconds: 0 };
}

function isUnmerged({ columns }: Acquired, status: StagedStatus | undefined): boolean {
  return keyOf(columns ?? []).length === 0 && status !== undefined && status.waiting.runs > 0n;
}

/** Errors from deep inside do not know the table. */
function named(error: unknown, { name }: CompactSettings): TidemarkError {
  const known = toTidemarkError(missingFile(error));
  if (known.place.table) return known;
  const { hint, place, cause } = known;
  return new TidemarkError(known.code, known.message, { ...place, table: displayName(name), hint, cause });
}
