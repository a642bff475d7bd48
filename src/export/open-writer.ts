/** The writer of a run's raw files, as the table's settings have it. */

import { displayName } from '../model/table.ts';
import { parquetColumns } from './parquet-columns.ts';
import { RawWriter, type RawWriterOptions } from './raw-writer.ts';
import type { Read } from './read-table.ts';
import type { ExportDeps, TableWork } from './work.ts';

/** `special`: what is other for a part of a run. */
export function openWriter(
  deps: ExportDeps,
  work: TableWork,
  read: Pick<Read, 'plan' | 'full' | 'repeats'> & { snapshot: { at: bigint } },
  signal: AbortSignal,
  special: Partial<RawWriterOptions> = {},
): RawWriter {
  const { settings, lease } = work;
  const { plan, snapshot, full, repeats } = read;
  const bounded = [...plan.key, ...(plan.cursor ? [plan.cursor.index] : [])].map((i) => plan.columns[i].name);
  return new RawWriter({
    lake: deps.lake,
    compressor: deps.compressor(settings),
    columns: parquetColumns(plan.columns),
    bounded: [...new Set(bounded)],
    fileBytes: settings.fileBytes,
    // Else nobody who reads raw/ would learn that the table was emptied, or which columns it has.
    evenEmpty: full,
    at: snapshot.at,
    createdBy: deps.createdBy,
    metadata: (run) => ({
      'tidemark.table': displayName(settings.name),
      'tidemark.run': String(run),
      // A run of the whole table replaces what was there before: whoever rebuilds the table from raw/ alone must know.
      'tidemark.full': String(full),
      ...(repeats ? { 'tidemark.repeats': JSON.stringify(repeats) } : {}),
    }),
    token: lease.token,
    plan: async () => {
      await deps.step('plan');
      const planned = await deps.state.plan(
        lease,
        { loadDate: loadDateOf(snapshot.at), snapshotAt: snapshot.at, full, repeats },
        signal,
      );
      work.onRun?.(planned.run);
      await deps.step('planned');
      return planned;
    },
    step: deps.step,
    signal,
    ...special,
  });
}

/** `YYYY-MM-DD`, in UTC. */
export function loadDateOf(at: bigint): string {
  return new Date(Number(at / 1000n)).toISOString().slice(0, 10);
}
