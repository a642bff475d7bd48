/** Vacuums, one table after another; each sends the manifest of the table's old runs into the lake too. */

import type { DeltaTable } from '../compact/delta/table.ts';
import { vacuum } from '../compact/vacuum.ts';
import type { Lane } from './lane.ts';
import { NO_FIGURES } from './lane.ts';

export type VacuumLaneDeps = {
  /** Works on the table; false: there is none of that name. */
  use: (name: string, work: (table: DeltaTable) => Promise<void>) => Promise<boolean>;
  /** Resolves to how many runs went into archives. */
  archive: (name: string, order: { retentionMs: number; now: number }, signal: AbortSignal) => Promise<number>;
  retentionMs: () => number;
  /** Milliseconds since 1970, and of a clock that never steps back. */
  clock: () => number;
  now: () => number;
  /** Whether another process did it since `firedAt`. */
  doneSince: (name: string, firedAt: number, signal: AbortSignal) => Promise<boolean>;
  done: (name: string, signal: AbortSignal) => Promise<void>;
};

export function vacuumLane(lane: VacuumLaneDeps): Lane {
  return {
    kind: 'vacuum',
    needs: ['state', 'lake'],
    batches: () => 1,
    most: 1,
    async run([{ name, firedAt }], tell, signal) {
      if (firedAt !== null && (await lane.doneSince(name, firedAt, signal))) {
        tell.ended(name, { state: 'skipped' }, NO_FIGURES);
        return;
      }
      const began = lane.now();
      const order = { retentionMs: lane.retentionMs(), dryRun: false, now: lane.clock(), onFile() {} };
      let found: Awaited<ReturnType<typeof vacuum>> = null;
      // Neither waits for the other to be mended.
      const archiving = await Promise.allSettled([lane.archive(name, order, signal)]);
      const known = await lane.use(name, async (table) => {
        found = await vacuum(table, order, signal);
      });
      if (archiving[0].status === 'rejected') throw archiving[0].reason;
      if (!known) return;
      const archived = archiving[0].value;
      await lane.done(name, signal);
      const { files, bytes, kept } = found ?? { files: 0, bytes: 0, kept: 0 };
      const figures = { ...NO_FIGURES, bytes, seconds: (lane.now() - began) / 1000, fields: { files, kept, archived } };
      tell.ended(name, { state: files > 0 || archived > 0 ? 'done' : 'nothing' }, figures);
    },
  };
}
