/** Delta tables without DuckDB, for tests of what surrounds their data. Invariant: what is in the log is in the folder too. */

import { randomUUID } from 'node:crypto';
import { utimes } from 'node:fs/promises';
import path from 'node:path';
import type { Commit, Snapshot } from '../../src/compact/delta/actions.ts';
import { commit } from '../../src/compact/delta/commit.ts';
import { openLake } from '../../src/lake/open.ts';

const COLUMNS = [{ name: 'id', type: 'long', nullable: true, metadata: {} }];

type Version = {
  /** Milliseconds since 1970. */
  at: number;
  add?: string[];
  remove?: string[];
  info?: Partial<Commit['info']>;
  run?: bigint;
};

export type StagedTable = {
  /** An absolute path. */
  folder: string;
  write(version: Version): Promise<void>;
  /** A file that no version names, as old as that. */
  orphan(name: string, at: number): Promise<void>;
};

/** `staged/<folder>/` in the lake `file:./lake` of `cwd`. The data files hold the text `bytes`. */
export async function stagedTable(cwd: string, name: string): Promise<StagedTable> {
  const lake = await openLake({ url: 'file:./lake', baseDir: cwd });
  const root = `staged/${name}`;
  const folder = path.join(cwd, 'lake', root);
  const signal = new AbortController().signal;
  const never = async () => {
    throw new Error('no checkpoints here');
  };
  let snapshot: Snapshot | null = null;
  const file = { partitionValues: {}, size: 5, dataChange: true, deletionVector: null };
  const orphan = async (name: string, at: number) => {
    await lake.putIfAbsent(`${root}/${name}`, Buffer.from('bytes'), signal);
    await utimes(path.join(folder, name), new Date(at), new Date(at));
  };
  return {
    folder,
    orphan,
    async write({ at, add = [], remove = [], info, run }) {
      for (const name of add) await orphan(name, at);
      const first = {
        protocol: { minReaderVersion: 1, minWriterVersion: 2 },
        metadata: { id: randomUUID(), columns: COLUMNS, partitionColumns: [], configuration: {} },
      };
      const table = { lake, root, checkpoints: { read: never, write: never }, now: () => at, warn: () => {} };
      const next = await commit(
        table,
        snapshot,
        {
          ...(snapshot ? {} : first),
          info: { operation: 'WRITE', operationParameters: {}, ...info },
          ...(run === undefined ? {} : { txn: { appId: 'tidemark', version: run } }),
          add: add.map((path) => ({ ...file, path, modificationTime: at, stats: null })),
          remove: remove.map((path) => ({ ...file, path, deletionTimestamp: at })),
        },
        signal,
      );
      if (next === 'conflict') throw new Error('nobody else writes here');
      snapshot = next;
    },
  };
}
