/** A lake with staged tables of any content, for tests that query it. Invariant: tables are written as a compaction writes them. */

import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { AddFile, DeltaColumn, Snapshot } from '../../src/compact/delta/actions.ts';
import { commit } from '../../src/compact/delta/commit.ts';
import { encodeVectors, vectorPath } from '../../src/compact/delta/deletion-vector.ts';
import { type ColumnStatistics, statisticsOf, withVector } from '../../src/compact/delta/statistics.ts';
import { deltaTypeOf } from '../../src/compact/types.ts';
import { Duck, type DuckConnection } from '../../src/duckdb/duck.ts';
import { text } from '../../src/duckdb/literal.ts';
import { openLake } from '../../src/lake/open.ts';
import { type Ended, runHere } from '../support/cli.ts';

const never = new AbortController().signal;

export type NewFile = {
  /** What DuckDB shall write into it. */
  select: string;
  /** Rows that a deletion vector deletes. */
  gone?: number[];
  stats?: boolean;
};

export type QueryLake = AsyncDisposable & {
  cwd: string;
  connection: DuckConnection;
  /** A version of the table with these files more; its columns are those of `columns`, else of the first file. */
  add(table: string, files: NewFile[], columns?: DeltaColumn[]): Promise<void>;
  /** `tidemark query` with these arguments. */
  query(...args: string[]): Promise<Ended>;
  /** The rows of a statement, by --format json. Throws when it failed. */
  rows(sql: string, ...args: string[]): Promise<Record<string, unknown>[]>;
};

export async function createQueryLake(): Promise<QueryLake> {
  const cwd = await mkdtemp(path.join(os.tmpdir(), 'tidemark-query-'));
  const config = `source: { url: 'postgres://nobody@127.0.0.1:1/none' }\nspool: { path: ./spool, limit: 100MB }\nlake: file:./lake\n`;
  await writeFile(path.join(cwd, 'tidemark.yaml'), config);
  const lake = await openLake({ url: 'file:./lake', baseDir: cwd });
  const tempFolder = path.join(cwd, 'temp');
  const duck = await Duck.open({ memoryBytes: 200e6, threads: 2, tempFolder, tempBytes: 1e9 });
  const connection = await duck.connect();
  const snapshots = new Map<string, Snapshot>();
  const query = (...args: string[]) => runHere(['query', '--quiet', ...args], { cwd });
  return {
    cwd,
    connection,
    async add(table, files, columns) {
      const root = `staged/${table}`;
      const folder = path.join(cwd, 'lake', root);
      await mkdir(folder, { recursive: true });
      const known = snapshots.get(table) ?? null;
      const schema = columns ?? known?.metadata.columns ?? (await columnsOf(connection, files[0].select));
      const vectors = encodeVectors(
        files.flatMap(({ gone }) => (gone ? [gone] : [])),
        randomUUID(),
      );
      const refs = [...vectors.refs];
      const adds: AddFile[] = [];
      for (const { select, gone, stats = true } of files) {
        const name = `${randomUUID()}.parquet`;
        const file = path.join(folder, name);
        const [written] = await connection.rows<{ count: bigint; column_statistics: ColumnStatistics }>(
          `COPY (${select}) TO ${text(file)} (FORMAT parquet, ROW_GROUP_SIZE 2048, RETURN_STATS)`,
          never,
        );
        const known = statisticsOf(schema, Number(written.count), written.column_statistics);
        adds.push({
          path: name,
          partitionValues: {},
          size: (await stat(file)).size,
          modificationTime: 0,
          dataChange: true,
          stats: stats ? (gone ? withVector(known) : known) : null,
          deletionVector: gone ? refs.shift()! : null,
        });
      }
      if (vectors.refs.length > 0) {
        const name = vectorPath(vectors.refs[0])!;
        await writeFile(path.join(folder, name), vectors.file);
      }
      const features = ['deletionVectors'];
      const checkpoints = { read: failing, write: failing };
      const next = await commit(
        { lake, root, checkpoints, now: Date.now, warn: () => {} },
        known,
        {
          ...(known === null || columns
            ? {
                protocol: {
                  minReaderVersion: 3,
                  minWriterVersion: 7,
                  readerFeatures: features,
                  writerFeatures: features,
                },
                metadata: { id: randomUUID(), columns: schema, partitionColumns: [], configuration: {} },
              }
            : {}),
          info: { operation: 'WRITE', operationParameters: {} },
          remove: [],
          add: adds,
        },
        never,
      );
      if (next === 'conflict') throw new Error('nobody else writes here');
      snapshots.set(table, next);
    },
    query,
    async rows(sql, ...args) {
      const { code, stdout, stderr } = await query('--format', 'json', ...args, sql);
      if (code !== 0) throw new Error(stderr);
      return JSON.parse(stdout);
    },
    async [Symbol.asyncDispose]() {
      await duck[Symbol.asyncDispose]();
      await rm(cwd, { recursive: true, force: true });
    },
  };
}

async function failing(): Promise<never> {
  throw new Error('no checkpoints here');
}

async function columnsOf(connection: DuckConnection, select: string): Promise<DeltaColumn[]> {
  const rows = await connection.rows<{ column_name: string; column_type: string }>(`DESCRIBE ${select}`, never);
  return rows.map(({ column_name, column_type }) => column(column_name, column_type));
}

/** `type`: DuckDB's. */
export function column(name: string, type: string): DeltaColumn {
  return { name, type: deltaTypeOf(type), nullable: true, metadata: {} };
}
