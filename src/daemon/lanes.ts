/** All lanes, with what their work is done with. */

import { compactDeps, compactSettings } from '../compact/compact-deps.ts';
import type { Config } from '../config/config.ts';
import { exportDeps } from '../export/export-deps.ts';
import { archiveTable } from '../manifest/archive-table.ts';
import type { TableSettings } from '../model/table.ts';
import { reconcileTables } from '../reconcile/reconcile-tables.ts';
import { compactLanes } from './compact-lane.ts';
import type { DaemonDeps } from './deps.ts';
import { exportLane } from './export-lane.ts';
import type { Lane } from './lane.ts';
import { loadLane } from './load-lane.ts';
import { reconcileLane } from './reconcile-lane.ts';
import type { Sampler } from './sampler.ts';
import { createSmallConnections } from './small-connections.ts';
import { vacuumLane } from './vacuum-lane.ts';
import type { Waiting } from './waiting.ts';
import { wholeEngine } from './whole-engine.ts';
import type { Works } from './works.ts';

const MINUTE = 60_000;

type LaneTools = {
  /** The one in force. */
  config: () => Config;
  works: Works;
  sampler: Sampler;
  waiting: Waiting;
  /** Rows that were exported at `at` wait for a compaction. */
  waits: (table: TableSettings, rows: bigint, at: number) => void;
};

export function lanesOf(deps: DaemonDeps, { config, works, sampler, waiting, waits }: LaneTools): Lane[] {
  const { source, state, lake, log, clock, readers, holder, loads, engine, smallEngine, board, shown } = deps;
  const leaseMs = () => config().defaults.leaseMs;
  const fromSource = exportDeps({ source, state, lake, log });
  const doneSince =
    (kind: 'vacuum' | 'reconcile') =>
    async (name: string, firedAt: number, signal: AbortSignal): Promise<boolean> =>
      ((await state.done.lastWork(kind, signal)).get(name) ?? 0) >= firedAt;
  const whole = wholeEngine(engine);
  let reconciling: string | null = null;
  const exported = exportLane({
    deps: fromSource,
    clock,
    readers,
    holder,
    leaseMs,
    table: (name) => works.table(name),
    isTaken: (name) => name === reconciling,
    exported: (table, { rows, files }) => {
      sampler.add(
        Number(rows),
        files.reduce((sum, { bytes }) => sum + bytes, 0),
      );
      waits(table, rows, clock.now());
    },
  });
  const small = createSmallConnections();
  const compacted = compactLanes({
    clock,
    alone: (work, signal) => whole.use((opened) => work(compactDeps(config(), opened, { state, lake, log })), signal),
    isTaken: () => reconciling !== null,
    aside: (work) =>
      engine.use((opened) =>
        small.use(opened.duck, (connect) =>
          // To give DuckDB more memory is for large ones, which have all of it.
          work({
            ...compactDeps(config(), opened, { state, lake, log }),
            connect,
            moreMemory: async () => false,
          }),
        ),
      ),
    beside: async (work) => {
      await using own = await smallEngine();
      await work(compactDeps(config(), own, { state, lake, log }));
    },
    waitingBytes: async ({ folder }, signal) => {
      const status = (await state.stagedOf([folder], signal)).get(folder);
      return status?.version == null ? null : status.waiting.bytes;
    },
    holder,
    leaseMs,
    table: (name) => {
      const table = works.table(name);
      return table && compactSettings(table);
    },
    taken: (name) => waiting.taken(name),
  });
  const noted = new Map<string, number>();
  const loaded = loadLane({
    deps: { ...loads, log },
    load: (name) => works.load(name),
    reach: (name, error) =>
      board.reach(`load ${name}`, error === null ? null : { since: clock.now(), error: shown(error) }),
    done: async (name, signal) => {
      // Written down for schedules of hours and days; once a minute is often enough.
      if (clock.now() - (noted.get(name) ?? 0) < MINUTE / 2) return;
      noted.set(name, clock.now());
      await state.done.noteWork('load', [name], signal);
    },
  });
  const vacuumed = vacuumLane({
    use: async (name, work) => {
      const table = works.table(name);
      if (!table) return false;
      await engine.use(({ checkpoints }) => work({ lake, root: `staged/${table.folder}`, checkpoints }));
      return true;
    },
    archive: async (name, order, signal) => {
      const table = works.table(name);
      if (!table) return 0;
      await state.prune(signal);
      const who = { name: table.name, folder: table.folder, holder, leaseMs: leaseMs() };
      return archiveTable({ state, lake, log, step: async () => {} }, { ...order, ...who, dryRun: false }, signal);
    },
    retentionMs: () => Math.max(config().defaults.retentionMs, 60 * MINUTE),
    clock: () => clock.now(),
    now: () => performance.now(),
    doneSince: doneSince('vacuum'),
    done: (name, signal) => state.done.noteWork('vacuum', [name], signal),
  });
  const reconciled = reconcileLane({
    reconcile: (table, begun, signal) =>
      whole.use(async (opened) => {
        begun();
        const both = { export: fromSource, compact: compactDeps(config(), opened, { state, lake, log }) };
        const request = { tables: [table], acceptDeletes: false, dryRun: false, holder, leaseMs: leaseMs() };
        const [done] = await reconcileTables(both, request, () => {}, signal);
        signal.throwIfAborted();
        return done;
      }, signal),
    table: (name) => works.table(name),
    isExporting: (name) => board.work({ kind: 'export', name })?.running != null,
    at: (name) => {
      reconciling = name;
    },
    wrote: (table, rows) => waits(table, rows, clock.now()),
    holder,
    clock,
    doneSince: doneSince('reconcile'),
  });
  return [exported, ...compacted, loaded, vacuumed, reconciled];
}
