/** Vacuums, one table after another. */

import type { DeltaTable } from '../compact/delta/table.ts';
import { vacuum } from '../compact/vacuum.ts';
import type { Lane } from './lane.ts';
import { NO_FIGURES } from './lane.ts';

export type VacuumLaneDeps = {
  /** Works on the table; false: there is none of that name. */
  use: (name: string, work: (table: DeltaTable) => Promise<void>) => Promise<boolean>;
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
      const known = await lane.use(name, async (table) => {
        found = await vacuum(table, order, signal);
      });
      if (!known) return;
      await lane.done(name, signal);
      const { files, bytes, kept } = found ?? { files: 0, bytes: 0, kept: 0 };
      const figures = { ...NO_FIGURES, bytes, seconds: (lane.now() - began) / 1000, fields: { files, kept } };
      tell.ended(name, { state: files > 0 ? 'done' : 'nothing' }, figures);
    },
  };
}
