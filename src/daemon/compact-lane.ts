/** Compactions: one after another, for each may take all the memory that DuckDB has. DuckDB is loaded when there is something to merge. */

import { compactTables } from '../compact/compact-tables.ts';
import type { CompactDeps, CompactSettings } from '../compact/work.ts';
import { displayName } from '../model/table.ts';
import { outcomeOf } from './export-lane.ts';
import type { Lane } from './lane.ts';

export type CompactLaneDeps = {
  deps: () => Promise<CompactDeps>;
  holder: string;
  leaseMs: () => number;
  table: (name: string) => CompactSettings | null;
  /** It begins: what is exported from now on it may not see. */
  taken: (name: string) => void;
};

/** In a batch; what becomes due meanwhile waits for its end. */
const MOST = 20;

export function compactLane(lane: CompactLaneDeps): Lane {
  return {
    kind: 'compact',
    needs: ['state', 'lake'],
    batches: () => 1,
    most: MOST,
    async run(works, tell, signal) {
      const tables = works.flatMap(({ name }) => lane.table(name) ?? []);
      for (const { name } of works) lane.taken(name);
      const request = {
        tables,
        optimize: false,
        rebuild: null,
        fullSchema: false,
        look: false,
        holder: lane.holder,
        leaseMs: lane.leaseMs(),
      };
      const done = new Map<string, number>();
      const progress = {
        started() {},
        advanced(table: CompactSettings['name'], bytes: number) {
          const name = displayName(table);
          done.set(name, (done.get(name) ?? 0) + bytes);
          tell.advanced(name, 0, done.get(name)!);
        },
        ended(result: Awaited<ReturnType<typeof compactTables>>[number]) {
          const { version, inserted, updated, deleted, filesAdded, filesRemoved, bytesWritten, seconds } = result;
          tell.ended(displayName(result.table), outcomeOf(result, lane.holder), {
            run: result.throughRun === null ? null : String(result.throughRun),
            rows: inserted + updated + deleted,
            lateRows: 0,
            bytes: bytesWritten,
            seconds,
            fields: { version, inserted, updated, deleted, files_added: filesAdded, files_removed: filesRemoved },
          });
        },
      };
      await compactTables(await lane.deps(), request, progress, signal);
    },
  };
}
