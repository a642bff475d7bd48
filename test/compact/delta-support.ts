/** Delta tables for tests: commits in few words. Invariant: the lake, DuckDB and their folders are gone at the end. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddFile, Commit, DeltaColumn, Metadata, RemoveFile } from '../../src/compact/delta/actions.ts';
import { duckCheckpoints } from '../../src/compact/delta/checkpoint-duck.ts';
import type { DeltaWriter } from '../../src/compact/delta/commit.ts';
import { Duck } from '../../src/duckdb/duck.ts';
import type { Lake } from '../../src/lake/lake.ts';
import { openLocalLake } from '../../src/lake/local.ts';
import type { TidemarkError } from '../../src/model/error.ts';

export const never = new AbortController().signal;
export const NOW = Date.UTC(2026, 5, 1);
export const DAY = 86_400_000;

export type DeltaPlace = AsyncDisposable & {
  /** The lake's folder. */
  folder: string;
  duck: Duck;
  /** How often checkpoints asked for DuckDB. */
  asked(): number;
  warnings: TidemarkError[];
  /** A writer on another lake than the folder's, if one is given. */
  writer(root: string, lake?: Lake): DeltaWriter;
};

export async function deltaPlace(): Promise<DeltaPlace> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-delta-'));
  const temporary = await mkdtemp(join(tmpdir(), 'tidemark-delta-duck-'));
  const duck = await Duck.open({
    memoryBytes: 128e6,
    threads: 1,
    tempFolder: join(temporary, 'spill'),
    tempBytes: 1e9,
  });
  const local = openLocalLake(folder);
  const warnings: TidemarkError[] = [];
  let asked = 0;
  const checkpoints = duckCheckpoints({
    duck: async () => {
      asked++;
      return duck;
    },
    folder: join(temporary, 'checkpoints'),
  });
  return {
    folder,
    duck,
    asked: () => asked,
    warnings,
    writer: (root, lake = local) => ({
      lake,
      root,
      checkpoints,
      now: () => NOW,
      warn: (problem) => void warnings.push(problem),
    }),
    async [Symbol.asyncDispose]() {
      await duck[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
      await rm(temporary, { recursive: true, force: true });
    },
  };
}

export const ID: DeltaColumn = { name: 'id', type: 'long', nullable: true, metadata: {} };

export const METADATA: Metadata = {
  id: '5fba94ed-9794-4965-ba6e-6ee3c0d22af9',
  columns: [ID],
  partitionColumns: [],
  configuration: {},
  createdTime: 1,
};

export function added(path: string, more: Partial<AddFile> = {}): AddFile {
  const stats = '{"numRecords":1}';
  return {
    path,
    partitionValues: {},
    size: 10,
    modificationTime: 1,
    dataChange: true,
    stats,
    deletionVector: null,
    ...more,
  };
}

export function removed(file: AddFile, deletionTimestamp = NOW): RemoveFile {
  const { path, partitionValues, size, dataChange, deletionVector } = file;
  return { path, partitionValues, size, dataChange, deletionVector, deletionTimestamp };
}

export function changes(more: Partial<Commit> = {}): Commit {
  return { info: { operation: 'WRITE', operationParameters: {} }, remove: [], add: [], ...more };
}

/** Makes a table of one column. */
export const CREATE = changes({ protocol: { minReaderVersion: 1, minWriterVersion: 2 }, metadata: METADATA });
