/**
 * Ends runs: makes prepared ones visible, and removes what others left. Invariant: a prepared run is always rolled forward,
 * whoever finds it, unless the lake has thrown one of its uploads away; a planned one is removed, unless it
 * goes in chunks: then the table's own export decides whether it goes on.
 */

import type { Logger } from 'pino';
import type { Lake } from '../lake/lake.ts';
import { TidemarkError } from '../model/error.ts';
import type { Mark } from '../model/mark.ts';
import type { Prepared, Run, UnfinishedChunks, WrittenColumn } from '../model/run.ts';
import { displayName } from '../model/table.ts';
import type { Lease } from '../state/leases.ts';
import type { StateStore } from '../state/state-store.ts';

/** A run in chunks that a dead process left. */
export type UnfinishedRun = { run: bigint; prefix: string; token: bigint; chunked: UnfinishedChunks };

/** Of what nobody waits for any more. In milliseconds. */
const DISCARD_MS = 5_000;

type Deps = { state: StateStore; lake: Lake; log: Logger; step: (name: string) => Promise<void> };

/** Completes the uploads one after another, then commits. Safe to repeat. `token`: of the lease that planned the run. */
export async function completeRun(
  { lake, state, step }: Deps,
  lease: Lease,
  { run, token, prepared }: { run: bigint; token: bigint; prepared: Prepared },
  signal: AbortSignal,
): Promise<void> {
  for (const file of prepared.files) {
    await lake.completeUpload(file, { run, token }, signal);
    await step('file-completed');
  }
  await step('completed');
  await state.commit(lease, run, signal);
  await step('committed');
}

/** Removes every trace of a run that was never prepared, then closes it. */
export async function discardRun(
  { lake, state, step }: Deps,
  lease: Lease,
  { run, prefix }: { run: bigint; prefix: string },
  reason: string,
  signal: AbortSignal,
): Promise<void> {
  await lake.abortUploads(prefix, signal);
  await step('uploads-aborted');
  const keys: string[] = [];
  for await (const { key } of lake.list(prefix, signal)) keys.push(key);
  if (keys.length > 0) await lake.delete(keys, signal);
  await state.abandon(lease, run, reason);
}

/** Removes what a run of this process left that failed. One that was prepared all the same stays: the next one rolls it forward. */
export async function discardFailed(
  deps: Deps,
  lease: Lease,
  planned: { run: bigint; prefix: string },
  reason: string,
): Promise<void> {
  // Asked, not remembered: a prepare whose answer was lost may have been committed, and another process may have made the
  // run's files visible by now.
  const state = await deps.state.runState(lease, planned.run);
  if (state === 'prepared' || state === 'committed') return;
  await discardRun(deps, lease, planned, reason, AbortSignal.timeout(DISCARD_MS));
}

/** What the lease's table starts from, once everything that a dead process left is repaired. */
export async function recover(
  deps: Deps,
  found: { lease: Lease; mark: Mark | null; columns: WrittenColumn[] | null; unfinished: Run[] },
  signal: AbortSignal,
): Promise<{ mark: Mark | null; columns: WrittenColumn[] | null; unfinished: UnfinishedRun | null }> {
  let { mark, columns } = found;
  let unfinished: UnfinishedRun | null = null;
  for (const run of found.unfinished) {
    const table = displayName(found.lease.table);
    if (run.state === 'planned' && run.chunked) {
      const { prefix, token, chunked } = run;
      unfinished = { run: run.run, prefix, token, chunked };
      continue;
    }
    if (run.state === 'planned') {
      deps.log.info({ table, run: run.run }, 'an unfinished run is removed');
      await discardRun(deps, found.lease, run, 'its process ended before everything was uploaded', signal);
      continue;
    }
    deps.log.info({ table, run: run.run }, 'a prepared run is completed');
    try {
      await completeRun(deps, found.lease, run, signal);
      ({ mark, columns } = run.prepared);
    } catch (error) {
      if (!(error instanceof TidemarkError) || error.code !== 'UPLOAD_EXPIRED') throw error;
      deps.log.warn({ table, run: run.run }, 'an upload of a prepared run has expired: the run is made again');
      await discardRun(deps, found.lease, run, 'the lake threw away one of its uploads', signal);
    }
  }
  return { mark, columns, unfinished };
}
