/** Compacts in this process what an exporter exported, with everything that a command would use; for tests of the compaction itself. */

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { type CompactRequest, compactTables } from '../../src/compact/compact-tables.ts';
import type { Snapshot } from '../../src/compact/delta/actions.ts';
import { duckCheckpoints } from '../../src/compact/delta/checkpoint-duck.ts';
import { decodeVector, vectorPath } from '../../src/compact/delta/deletion-vector.ts';
import { keptSnapshots, type Snapshots } from '../../src/compact/delta/kept-snapshots.ts';
import { readSnapshot } from '../../src/compact/delta/read-log.ts';
import { SHAPE, type Shape } from '../../src/compact/plan.ts';
import type { CompactResult } from '../../src/compact/result.ts';
import type { CompactDeps, CompactSettings } from '../../src/compact/work.ts';
import { Duck } from '../../src/duckdb/duck.ts';
import { growingMemory } from '../../src/duckdb/growing-memory.ts';
import { ident, text } from '../../src/duckdb/literal.ts';
import type { Lake } from '../../src/lake/lake.ts';
import { Spool } from '../../src/spool/spool.ts';
import type { StateStore } from '../../src/state/state-store.ts';

export type CompactOptions = Partial<CompactSettings> &
  Partial<Pick<CompactRequest, 'optimize' | 'rebuild' | 'fullSchema'>> & { step?: (name: string) => Promise<void> };

export type CompactorOptions = {
  shape?: Partial<Shape>;
  batchBytes?: number;
  memoryBytes?: number;
  /** How far it may grow where rows are wide; default: not at all. */
  mostMemoryBytes?: number;
  spoolBytes?: number;
  /** Default: kept, as in a daemon. */
  snapshots?: Snapshots;
};

export type Compactor = AsyncDisposable & {
  deps: CompactDeps;
  spool: Spool;
  /** The result, of any state. */
  tryCompact(table: string, options?: CompactOptions): Promise<CompactResult>;
  /** The result; throws the error of one that failed. */
  compact(table: string, options?: CompactOptions): Promise<CompactResult>;
  snapshot(folder: string, version?: number): Promise<Snapshot>;
  /** The staged rows, every value as text, sorted. */
  rows(folder: string, version?: number): Promise<Record<string, string | null>[]>;
};

const never = new AbortController().signal;

export async function createCompactor(
  { state, lake }: { state: StateStore; lake: Lake },
  options: CompactorOptions = {},
): Promise<Compactor> {
  const log = pino({ level: process.env.TEST_LOG ?? 'silent' });
  const spoolDir = await mkdtemp(path.join(os.tmpdir(), 'tidemark-spool-'));
  const spool = await Spool.open({ path: spoolDir, limitBytes: options.spoolBytes ?? 4e9 }, lake, log);
  const duck = await Duck.open({
    memoryBytes: options.memoryBytes ?? 192e6,
    threads: 1,
    tempFolder: spool.tempFolder,
    tempBytes: 4e9,
  });
  const connections = [await duck.connect(), await duck.connect()] as const;
  const checkpoints = duckCheckpoints({ duck: async () => duck, folder: spool.folder });
  const bytes = options.memoryBytes ?? 192e6;
  const grow = growingMemory(async () => connections, { bytes, most: options.mostMemoryBytes ?? bytes });
  const deps: CompactDeps = {
    state,
    lake,
    spool,
    connect: async () => connections,
    moreMemory: async () => (await grow()) !== null,
    snapshots: options.snapshots ?? keptSnapshots(),
    table: (root) => ({ lake, root, checkpoints, now: Date.now, warn: (problem) => log.warn(problem) }),
    log,
    now: () => performance.now(),
    clock: () => Date.now(),
    shape: { ...SHAPE, ...options.shape },
    batchBytes: options.batchBytes ?? 256e6,
    step: async () => {},
  };
  const tryCompact = async (table: string, { step, optimize, rebuild, fullSchema, ...some }: CompactOptions = {}) => {
    const settings: CompactSettings = {
      name: { schema: 'public', table },
      folder: table,
      merge: 'rewrite',
      keyIsPrimary: true,
      ...some,
    };
    const request: CompactRequest = {
      tables: [settings],
      optimize: optimize ?? false,
      rebuild: rebuild ?? null,
      fullSchema: fullSchema ?? false,
      look: true,
      holder: 'test',
      leaseMs: 60_000,
    };
    const progress = { started() {}, advanced() {}, ended() {} };
    const [result] = await compactTables({ ...deps, step: step ?? deps.step }, request, progress, never);
    return result;
  };
  const snapshot = async (folder: string, version?: number) => {
    const found = await readSnapshot(deps.table(`staged/${folder}`), never, version);
    if (!found) throw new Error(`staged/${folder} has no log`);
    return found;
  };
  return {
    deps,
    spool,
    tryCompact,
    async compact(table, some) {
      const result = await tryCompact(table, some);
      if (result.state === 'failed') throw result.error;
      return result;
    },
    snapshot,
    async rows(folder, version) {
      const { files, metadata } = await snapshot(folder, version);
      const rows: Record<string, string | null>[] = [];
      for (const add of files.values()) {
        await using local = await spool.read(`staged/${folder}/${add.path}`, { bytes: add.size }, never);
        const gone = new Set<number>();
        if (add.deletionVector) {
          const name = vectorPath(add.deletionVector);
          const bytes = name === null ? null : await lake.get(`staged/${folder}/${name}`, never);
          for (const position of decodeVector(add.deletionVector, bytes)) gone.add(Number(position));
        }
        const there = await connections[0].rows<{ column_name: string }>(
          `DESCRIBE FROM read_parquet(${text(local.path)})`,
          never,
        );
        const names = new Set(there.map(({ column_name }) => column_name));
        const columns = metadata.columns.map(({ name }) =>
          names.has(name) ? `${ident(name)}::VARCHAR AS ${ident(name)}` : `NULL AS ${ident(name)}`,
        );
        const found = await connections[0].rows<Record<string, string | null>>(
          `SELECT ${columns} FROM read_parquet(${text(local.path)})`,
          never,
        );
        rows.push(...found.filter((_, i) => !gone.has(i)));
      }
      const order = (row: Record<string, string | null>) => JSON.stringify(Object.entries(row).sort());
      return rows.sort((a, b) => (order(a) < order(b) ? -1 : 1));
    },
    async [Symbol.asyncDispose]() {
      await duck[Symbol.asyncDispose]();
      await spool[Symbol.asyncDispose]();
      await rm(spoolDir, { recursive: true, force: true });
    },
  };
}
