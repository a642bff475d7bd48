/** The tables that a statement names, found in the lake and the state store. Invariant: only their logs and manifests are read. */

import type { DeletionVectorRef, Snapshot } from '../compact/delta/actions.ts';
import { readSnapshot } from '../compact/delta/read-log.ts';
import { parseStatistics } from '../compact/delta/statistics.ts';
import type { DeltaTable } from '../compact/delta/table.ts';
import type { Lake } from '../lake/lake.ts';
import { Manifest } from '../manifest/manifest.ts';
import { TidemarkError } from '../model/error.ts';
import type { StateStore } from '../state/state-store.ts';
import { type QueryColumn, rawColumns, stagedColumns } from './columns.ts';
import type { Scan } from './filters.ts';
import { folderOf, type NamedTable, unknownTable } from './names.ts';
import { type FileBounds, mayMatch } from './prune.ts';

/** A file that a scan needs. `key`: in the lake. */
export type NeededFile = { key: string; bytes: number; vector: DeletionVectorRef | null };

export type QueryTable = {
  named: NamedTable;
  /** Below it lie its files: a key of the lake, without a slash at its end. */
  root: string;
  columns: QueryColumn[];
  /** Those that some scan needs; all when `scans` is null. */
  files(scans: readonly Scan[] | null, signal: AbortSignal): Promise<NeededFile[]>;
};

export type TableSources = {
  lake: Lake;
  /** The Delta table in a folder of the lake. */
  table: (root: string) => DeltaTable;
  /** Opened when the statement names a history. */
  state: () => Promise<StateStore>;
};

/** `version`: of a staged table, instead of the newest. Throws TABLE_UNKNOWN, STAGED_*, STATE_*. */
export function openTable(
  sources: TableSources,
  named: NamedTable,
  version: number | undefined,
  signal: AbortSignal,
): Promise<QueryTable> {
  return named.kind === 'raw' ? openRaw(sources, named, signal) : openStaged(sources, named, version, signal);
}

/** Every staged table. */
export async function stagedFolders(lake: Lake, signal: AbortSignal): Promise<string[]> {
  const folders: string[] = [];
  for (let after: string | undefined; ; ) {
    const key = await firstKey(lake, 'staged/', after, signal);
    if (key === null) return folders;
    const folder = key.split('/')[1];
    if ((await firstKey(lake, `staged/${folder}/_delta_log/`, undefined, signal)) !== null) folders.push(folder);
    // Past every file of the folder, however many there are.
    after = `staged/${folder}/\u{10FFFF}`;
  }
}

async function firstKey(
  lake: Lake,
  prefix: string,
  after: string | undefined,
  signal: AbortSignal,
): Promise<string | null> {
  for await (const { key } of lake.list(prefix, signal, after)) return key;
  return null;
}

async function openStaged(
  { lake, table }: TableSources,
  named: NamedTable,
  version: number | undefined,
  signal: AbortSignal,
): Promise<QueryTable> {
  const open = (folder: string) => readSnapshot(table(`staged/${folder}`), signal, version);
  let folder = named.name;
  let snapshot = mayBeFolder(folder) ? await open(folder) : null;
  if (snapshot === null) {
    const folders = await stagedFolders(lake, signal);
    const found = folderOf(named.name, folders);
    snapshot = found === null ? null : await open(found);
    if (found === null || snapshot === null) throw unknownTable(named, folders);
    folder = found;
  }
  return stagedTable(named, folder, snapshot);
}

/** What is a path in quotes, say of a CSV file, is none. */
function mayBeFolder(name: string): boolean {
  return /^[A-Za-z0-9_.-]+$/.test(name) && !/^\.+$/.test(name);
}

function stagedTable(named: NamedTable, folder: string, snapshot: Snapshot): QueryTable {
  const { columns, partitionColumns } = snapshot.metadata;
  const root = `staged/${folder}`;
  if (partitionColumns.length > 0) {
    throw new TidemarkError('STAGED_UNSUPPORTED', `${root} is partitioned, and \`query\` reads tables that are not`);
  }
  return {
    named,
    root,
    columns: stagedColumns(columns),
    async files(scans) {
      const files = [...snapshot.files.values()].filter(({ stats }) => {
        if (scans === null) return true;
        const known = parseStatistics(stats, columns);
        if (known === null) return true;
        const bounds: FileBounds = {
          rows: BigInt(known.rows),
          column: (name) => ({
            min: known.min.get(name),
            max: known.max.get(name),
            nulls: known.nullCount.has(name) ? BigInt(known.nullCount.get(name)!) : undefined,
          }),
        };
        return scans.some((scan) => mayMatch(scan, bounds));
      });
      return files.map(({ path, size, deletionVector }) => ({
        key: `${root}/${path}`,
        bytes: size,
        vector: deletionVector,
      }));
    },
  };
}

const RUNS_AT_ONCE = 2_000;

async function openRaw(
  { lake, table, state }: TableSources,
  named: NamedTable,
  signal: AbortSignal,
): Promise<QueryTable> {
  const store = await state();
  let folder = named.name;
  let raw = await store.rawTable(folder, signal);
  if (raw === null) {
    const folders = (await store.status()).filter((each) => each.raw.files > 0n).map((each) => each.folder);
    const found = folderOf(folder, folders);
    raw = found === null ? null : await store.rawTable(found, signal);
    if (found === null || raw === null) throw unknownTable(named, folders);
    folder = found;
  }
  const staged = await readSnapshot(table(`staged/${folder}`), signal);
  const remembered = staged === null ? [] : stagedColumns(staged.metadata.columns);
  const columns = rawColumns(raw.columns, raw.keptAsText, remembered);
  const ofPath = new Set(columns.filter((column) => column.ofPath).map(({ name }) => name));
  return {
    named,
    root: `raw/${folder}`,
    columns,
    async files(scans) {
      const needed: NeededFile[] = [];
      const manifest = new Manifest({ state: store, lake });
      for (let after = 0n; ; ) {
        const page = await manifest.files(folder, after, RUNS_AT_ONCE, signal);
        if (page.length === 0) return needed;
        for (const { key, bytes, rows, run, bounds } of page) {
          const date = /load_date=([0-9-]+)\//.exec(key)?.[1];
          const file: FileBounds = {
            rows: BigInt(rows),
            column: (name) => {
              if (name === '_tidemark_run') return { min: String(run), max: String(run) };
              return ofPath.has(name) ? { min: date, max: date } : bounds[name];
            },
          };
          if (scans === null || scans.some((scan) => mayMatch(scan, file))) needed.push({ key, bytes, vector: null });
          after = run;
        }
      }
    },
  };
}
