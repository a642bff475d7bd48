/** Loads: two at once, each with its threads; a load's own target may be away without any other work being held up. */

import { type LoadsDeps, runLoads } from '../load/run-loads.ts';
import type { LoadSettings } from '../load/settings.ts';
import type { ErrorCode } from '../model/error.ts';
import type { Outcome } from './agenda.ts';
import type { Lane } from './lane.ts';

export type LoadLaneDeps = {
  deps: LoadsDeps;
  load: (name: string) => LoadSettings | null;
  /** Null: what the load needs answers. */
  reach: (load: string, error: unknown) => void;
  done: (load: string, signal: AbortSignal) => Promise<void>;
};

const AT_ONCE = 2;

export function loadLane({ deps, load, reach, done }: LoadLaneDeps): Lane {
  return {
    kind: 'load',
    needs: [],
    batches: () => AT_ONCE,
    most: 1,
    async run([{ name, replay }], tell, signal) {
      const settings = load(name);
      if (!settings) return;
      const progressOf = () => ({
        listed() {},
        done: (_: number, { rowsIn, bytes }: { rowsIn: number; bytes: number }) => tell.advanced(name, rowsIn, bytes),
        waiting(why: string | null) {
          if (why !== null) deps.log.debug({ load: name, why }, 'waiting');
        },
        ended() {},
      });
      const [result] = await runLoads(deps, { loads: [settings], days: null, replay }, progressOf, signal);
      const { totals, seconds } = result;
      const outcome: Outcome =
        result.state === 'failed' ? result : { state: result.state === 'loaded' ? 'done' : 'nothing' };
      reach(name, result.state === 'failed' && AWAY.includes(result.error.code) ? result.error : null);
      // It is loaded, whether or not that can be noted.
      if (outcome.state !== 'failed') await done(name, signal).catch(() => {});
      tell.ended(name, outcome, {
        run: null,
        rows: totals.rowsOut,
        lateRows: 0,
        bytes: totals.bytes,
        seconds,
        fields: { drops: totals.drops, rejected: totals.rowsRejected, dead: totals.deadDrops },
      });
    },
  };
}

const AWAY: readonly ErrorCode[] = ['TARGET_UNREACHABLE', 'TARGET_READ_ONLY', 'LAKE_UNREACHABLE'];
