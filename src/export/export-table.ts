/**
 * One run of one table: Postgres -> raw/. Invariant: a run is planned before a byte is written, prepared when every byte is
 * uploaded and nothing visible, committed when its files and its mark count; at every moment in between, the next run can
 * repair what a dead process left.
 */

import { TidemarkError, toTidemarkError } from '../model/error.ts';
import type { Prepared } from '../model/run.ts';
import { displayName } from '../model/table.ts';
import { sourceError } from '../postgres/source-error.ts';
import { goOnInChunks, readInChunks } from './chunks/read-in-chunks.ts';
import { openWriter } from './open-writer.ts';
import type { PlannedRun, RawWriter } from './raw-writer.ts';
import { type Read, readTable } from './read-table.ts';
import { completeRun, discardFailed } from './recover.ts';
import { repeatRange } from './repeat-range.ts';
import { whyFailed } from './why-failed.ts';
import type { ExportDeps, TableOutcome, TableWork } from './work.ts';

/** Resolves once the run is committed, or found nothing. Throws TidemarkError; then the mark is where it was. */
export async function exportTable(deps: ExportDeps, work: TableWork, signal: AbortSignal): Promise<TableOutcome> {
  const { state, step } = deps;
  const { lease, settings } = work;
  let writer: RawWriter | null = null;
  const newWriter = (read: Read) => {
    writer = openWriter(deps, work, read, signal);
    return writer;
  };
  let inChunks: PlannedRun | null = null;
  const onChunks = (run: PlannedRun | null) => {
    inChunks = run;
    if (run) work.onRun?.(run.run);
  };
  try {
    const read =
      (await goOnInChunks(deps, work, onChunks, signal)) ??
      (work.range
        ? await repeatRange(deps, work, work.range, newWriter, signal)
        : await readTable(deps, work, newWriter, signal)) ??
      (await readInChunks(deps, work, onChunks, signal));
    const written = 'planned' in read ? read : await read.writer.finish();
    if (written === null)
      return { state: 'nothing', mark: read.mark, columns: read.columns, changed: read.changed, broken: read.broken };
    const { run } = written.planned;
    const outcome: Prepared = {
      files: written.files,
      mark: read.mark,
      rows: read.rows,
      lateRows: read.lateRows,
      unfit: read.unfit,
      columns: read.columns,
      broken: read.broken,
    };
    await step('uploaded');
    await state.prepare(lease, run, outcome, signal);
    await step('prepared');
    const token = 'token' in read ? read.token : lease.token;
    await completeRun(deps, lease, { run, token, prepared: outcome }, signal);
    return {
      state: 'committed',
      run,
      rows: outcome.rows,
      lateRows: outcome.lateRows,
      files: outcome.files.map(({ key, rows, bytes }) => ({ key, rows, bytes })),
      watermark: outcome.mark.watermark,
      unfit: outcome.unfit,
      changed: read.changed,
      broken: read.broken,
    };
  } catch (error) {
    const known = await whyFailed(state, lease, sourceError(error, settings.name), signal);
    await noteFailure(deps, work, { writer, inChunks }, stoppedBy(signal) ? null : known);
    throw known;
  }
}

/** Whether somebody stopped the whole command: no failure of the table. A lost lease aborts too, with its own error. */
export function stoppedBy(signal: AbortSignal): boolean {
  return signal.aborted && !(signal.reason instanceof TidemarkError);
}

/** Cleans up and writes down what went wrong (null: nothing, it was stopped); a run that cannot be cleaned now is left to the next one's recovery. */
async function noteFailure(
  deps: ExportDeps,
  { lease, range, onRun }: TableWork,
  { writer, inChunks }: { writer: RawWriter | null; inChunks: PlannedRun | null },
  error: unknown,
): Promise<void> {
  const failure = error === null ? null : toTidemarkError(error);
  let run = inChunks?.run ?? null;
  try {
    const planned = (await writer?.abort()) ?? null;
    run = planned?.run ?? run;
    // A repeat is asked for by hand, and answered there: the table's own runs do not fail by it.
    const number = failure && !range ? await deps.state.fail(lease, run, failure) : null;
    if (number !== null) onRun?.(number);
    // A run in chunks stays open: the next attempt goes on with it.
    if (planned) await discardFailed(deps, lease, planned, failure?.message ?? 'stopped');
  } catch (later) {
    deps.log.warn(
      { err: later, table: displayName(lease.table), run },
      'what the failed run left is cleaned up by the next run',
    );
  }
}
