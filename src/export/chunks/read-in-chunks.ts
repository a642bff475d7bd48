/**
 * A run that reads a large table, or large new partitions, whole: chunk by chunk, each noted in the state store once it is uploaded. Invariant: a noted chunk is
 * not read again, and nothing of the run is visible before all of it is there.
 */

import { TidemarkError } from '../../model/error.ts';
import { historyChange } from '../../model/history.ts';
import type { Mark } from '../../model/mark.ts';
import type { RawFile } from '../../model/run.ts';
import { displayName } from '../../model/table.ts';
import { addedUp } from '../../model/unfit-counts.ts';
import { RowGroupEncoder } from '../../parquet/row-group.ts';
import { parseInstant } from '../../postgres/render.ts';
import { writtenColumns } from '../column-plan.ts';
import { openWriter } from '../open-writer.ts';
import { parquetColumns } from '../parquet-columns.ts';
import type { PlannedRun, RawWriter } from '../raw-writer.ts';
import type { ReadOutcome } from '../read-table.ts';
import { discardRun } from '../recover.ts';
import { mergeBroken } from '../row-checks.ts';
import type { ExportDeps, TableWork } from '../work.ts';
import { beginRun, goOn, type OpenRun } from './open-run.ts';
import { readAll } from './read-all.ts';
import { TableChanged } from './read-chunk.ts';

/** A table that is written anew again and again must not keep us for ever. */
const MOST_STARTS = 3;

/** What was read, and the files that it is in by now. */
export type ReadInChunks = Omit<ReadOutcome, 'writer'> & { planned: PlannedRun; token: bigint; files: RawFile[] };

/** Told which run is open; null: it was removed. */
type Opened = (run: PlannedRun | null) => void;

/**
 * Goes on with the run in chunks that another process left, and resolves once every chunk is uploaded. Null: there is none, or
 * none that can be gone on with; what there was is removed. If it throws, chunks that are noted stay for the next attempt.
 */
export async function goOnInChunks(
  deps: ExportDeps,
  work: TableWork,
  opened: Opened,
  signal: AbortSignal,
): Promise<ReadInChunks | null> {
  const left = work.unfinished;
  if (!left) return null;
  if (work.range) throw unfinishedFirst(displayName(work.settings.name));
  opened(left);
  const run = await goOn(deps, work, left, signal);
  const read = run && (await unlessChanged(deps, work, run, signal));
  if (read === null || read instanceof TableChanged) opened(null);
  return read instanceof TableChanged ? null : read;
}

/** Begins a run in chunks. Resolves and throws as goOnInChunks(); where the table is written anew meanwhile it begins again. */
export async function readInChunks(
  deps: ExportDeps,
  work: TableWork,
  opened: Opened,
  signal: AbortSignal,
): Promise<ReadInChunks> {
  for (let starts = 1; ; starts++) {
    const run = await beginRun(deps, work, opened, signal);
    const read = await unlessChanged(deps, work, run, signal);
    if (!(read instanceof TableChanged)) return read;
    opened(null);
    if (starts === MOST_STARTS) throw changedTooOften(displayName(work.settings.name), read);
  }
}

/** Why the run is of no use any more, once it is removed; else what it read. */
async function unlessChanged(
  deps: ExportDeps,
  work: TableWork,
  run: OpenRun,
  signal: AbortSignal,
): Promise<ReadInChunks | TableChanged> {
  try {
    return await finished(deps, work, run, signal);
  } catch (error) {
    if (!(error instanceof TableChanged)) throw error;
    const table = displayName(work.settings.name);
    deps.log.warn({ table, run: run.planned.run, why: error.message }, 'the run in chunks begins anew');
    await discardRun(deps, work.lease, run.planned, error.message, signal);
    return error;
  }
}

function unfinishedFirst(table: string): TidemarkError {
  return new TidemarkError('REPEAT_REFUSED', 'an export of the table in chunks is not finished yet', {
    table,
    hint: 'run `tidemark export` without --since first: it goes on with it',
  });
}

async function finished(deps: ExportDeps, work: TableWork, run: OpenRun, signal: AbortSignal): Promise<ReadInChunks> {
  const { planned, token, chunked, columns, noted } = run;
  const { mark, rest } = chunked;
  let part = Math.max(-1, ...noted.flatMap(({ files }) => files.map((file) => file.part)));
  const encoder = new RowGroupEncoder(parquetColumns(columns.columns), deps.compressor(work.settings));
  const newWriter = (evenEmpty: boolean, until: AbortSignal): RawWriter =>
    openWriter(deps, work, { plan: columns, snapshot: mark, full: !rest }, until, {
      plan: async () => planned,
      token,
      evenEmpty,
      nextPart: () => ++part,
      encoder,
    });
  await readAll(deps, work, run, (until) => newWriter(false, until), signal);
  noted.sort((a, b) => a.chunk - b.chunk);
  let files = noted.flatMap((chunk) => chunk.files);
  if (files.length === 0) files = (await newWriter(true, signal).finish())!.files;
  const gone = new Set(noted.flatMap((chunk) => chunk.gone));
  return {
    planned,
    token,
    files,
    mark: {
      ...mark,
      watermark: greatest(noted.map(({ watermark }) => watermark)) ?? mark.watermark,
      // One that was detached while we read, and is attached again, must be new to the next run.
      leaves: mark.leaves!.filter(({ oid }) => !gone.has(oid)),
    },
    changed: changedSince(work.mark, mark),
    columns: writtenColumns(columns),
    rows: noted.reduce((sum, { rows }) => sum + rows, 0n),
    // For people only, and not worth a note of each chunk.
    lateRows: 0n,
    unfit: addedUp(noted.map(({ unfit }) => unfit)),
    broken: mergeBroken(noted.map(({ broken }) => broken ?? [])),
  };
}

/** Why the ids of the mark before meant nothing to the run that leaves this one. */
function changedSince(before: Mark | null, { history }: Mark): string | undefined {
  return (before?.history && history && historyChange(before.history, history)) ?? undefined;
}

/** Of cursor values as Postgres prints them. */
function greatest(texts: (string | null)[]): string | null {
  const value = (text: string) => (/^-?\d+$/.test(text) ? BigInt(text) : parseInstant(text));
  let found: string | null = null;
  for (const text of texts) if (text !== null && (found === null || value(text) > value(found))) found = text;
  return found;
}

function changedTooOften(table: string, cause: TableChanged): TidemarkError {
  return new TidemarkError(
    'SOURCE_FAILED',
    `the table changed too often while it was exported in chunks: ${cause.message}`,
    {
      table,
      hint: 'export it while nothing writes it anew, or raise `chunk:` above its size, so that it is read in one transaction',
      cause,
    },
  );
}
