/** Exports in this process, against a real database and a folder, with everything that a command would use; for tests of the export itself. */

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { exportTable } from '../../src/export/export-table.ts';
import { GROUP_LIMITS } from '../../src/export/group-reader.ts';
import { recover } from '../../src/export/recover.ts';
import type { ExportDeps, TableOutcome } from '../../src/export/work.ts';
import type { Lake } from '../../src/lake/lake.ts';
import { openLocalLake } from '../../src/lake/local.ts';
import type { Mark } from '../../src/model/mark.ts';
import type { Range } from '../../src/model/range.ts';
import type { TableSettings } from '../../src/model/table.ts';
import { Compressor } from '../../src/parquet/compressor.ts';
import { connect } from '../../src/postgres/connect.ts';
import { describeTables } from '../../src/postgres/describe.ts';
import { Source } from '../../src/postgres/source.ts';
import { openState } from '../../src/state/open-state.ts';
import type { StateStore } from '../../src/state/state-store.ts';
import { lakeRows } from './lake-rows.ts';

export type RunOptions = {
  settings?: Partial<TableSettings>;
  full?: boolean;
  range?: Range;
  step?: (name: string) => Promise<void>;
};

export type Exporter = AsyncDisposable & {
  lakeDir: string;
  lake: Lake;
  state: StateStore;
  source: Source;
  deps: ExportDeps;
  /** One run of a table (`public.x`, or as `settings.name` says). */
  run(table: string, options?: RunOptions): Promise<TableOutcome>;
  mark(table: string, settings?: Partial<TableSettings>): Promise<Mark | null>;
  /** Every row under raw/<folder>/, values as text, by any order. */
  rows(folder: string): Promise<Record<string, string | null>[]>;
};

export function tableSettings(table: string, settings: Partial<TableSettings> = {}): TableSettings {
  return {
    name: { schema: 'public', table },
    folder: table,
    key: 'default',
    cursor: 'default',
    exclude: [],
    columns: {},
    where: null,
    start: null,
    timezone: null,
    lateMs: 3_600_000,
    marginMs: 100,
    fileBytes: 128 << 20,
    chunkBytes: 5 * 2 ** 30,
    readers: 1,
    compression: 'zstd',
    leaseMs: 60_000,
    merge: 'rewrite',
    ...settings,
  };
}

/** `url`: of the source, where the state lives too unless `stateUrl` says otherwise. `lakeDir`: an existing folder is used and kept. */
export async function createExporter(
  url: string,
  options: {
    lakeDir?: string;
    /** Another one than a folder; it stays open. */
    lake?: Lake;
    stateUrl?: string;
    connections?: number;
    primaryUrl?: string;
    primaryWaitMs?: number;
  } = {},
): Promise<Exporter> {
  const lakeDir = options.lakeDir ?? (await mkdtemp(path.join(os.tmpdir(), 'tidemark-lake-')));
  const log = pino({ level: process.env.TEST_LOG ?? 'silent' });
  const signal = new AbortController().signal;
  const { primaryUrl } = options;
  const source = new Source({
    connect: (given) => connect({ role: 'source', url }, given),
    max: options.connections ?? 2,
    statementTimeoutMs: 120_000,
    primary: primaryUrl
      ? { connect: (given) => connect({ role: 'source', url: primaryUrl }, given), waitMs: options.primaryWaitMs }
      : null,
  });
  const state = await openState(
    { url: options.stateUrl ?? url, schema: 'tidemark', maxConnections: 1, migrate: 'if-needed' },
    log,
    signal,
  );
  const lake = options.lake ?? openLocalLake(lakeDir);
  let clock = 0;
  const compressors = new Map<string, Compressor>();
  const deps: ExportDeps = {
    source,
    state,
    lake,
    compressor: ({ compression }) => {
      const known = compressors.get(compression) ?? new Compressor(compression);
      compressors.set(compression, known);
      return known;
    },
    log,
    // Ten seconds a call: no two runs share a look at activity, as separate processes would not.
    now: () => (clock += 10_000),
    createdBy: 'tidemark version 0.0.0 (build test)',
    groups: GROUP_LIMITS,
    step: async () => {},
  };
  const lease = async (settings: TableSettings) => {
    const [got] = await state.acquire('export', [settings], 'test', 60_000, signal);
    if (got.state === 'held') throw new Error(`held by ${got.holder}`);
    return got;
  };
  return {
    lakeDir,
    lake,
    state,
    source,
    deps,
    async run(table, { settings: some = {}, full = false, range, step = deps.step } = {}) {
      const settings = tableSettings(table, some);
      const found = await lease(settings);
      const here = { ...deps, step };
      try {
        const from = await recover(here, found, signal);
        const [described] = await source.use((client) => describeTables(client, [settings.name], source.types), signal);
        if (!described) throw new Error(`no table ${table}`);
        const work = { settings, table: described, lease: found.lease, ...from, full, range, onProgress() {} };
        const outcome = await exportTable(here, work, signal);
        if (outcome.state === 'nothing') await state.saveIdle([{ lease: found.lease, ...outcome }]);
        return outcome;
      } finally {
        await state.release([found.lease]);
      }
    },
    async mark(table, settings) {
      const found = await lease(tableSettings(table, settings));
      await state.release([found.lease]);
      return found.mark;
    },
    rows: (folder) => lakeRows(path.join(lakeDir, 'raw', folder)),
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]();
      await state[Symbol.asyncDispose]();
      if (!options.lake) await lake[Symbol.asyncDispose]();
      if (!options.lakeDir) await rm(lakeDir, { recursive: true, force: true });
    },
  };
}
