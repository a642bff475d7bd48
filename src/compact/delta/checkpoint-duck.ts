/**
 * Checkpoints as Parquet, by DuckDB. Invariant: every field goes through as the text or integer it is; only fields that this project
 * knows are read, by name, so that other writers' checkpoints may have more of them.
 */

import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duck, DuckConnection } from '../../duckdb/duck.ts';
import { ident, text, texts } from '../../duckdb/literal.ts';
import { TidemarkError } from '../../model/error.ts';
import { type Checkpoints, isCode } from './table.ts';

const VECTOR =
  'STRUCT("storageType" VARCHAR, "pathOrInlineDv" VARCHAR, "offset" INTEGER, "sizeInBytes" INTEGER, cardinality BIGINT)';
const MAP = 'MAP(VARCHAR, VARCHAR)';

/** PROTOCOL.md, "Checkpoint Schema"; removes have neither stats nor tags there. */
const FIELDS: Record<string, Record<string, string>> = {
  protocol: {
    minReaderVersion: 'INTEGER',
    minWriterVersion: 'INTEGER',
    readerFeatures: 'VARCHAR[]',
    writerFeatures: 'VARCHAR[]',
  },
  metaData: {
    id: 'VARCHAR',
    name: 'VARCHAR',
    description: 'VARCHAR',
    format: `STRUCT(provider VARCHAR, options ${MAP})`,
    schemaString: 'VARCHAR',
    partitionColumns: 'VARCHAR[]',
    configuration: MAP,
    createdTime: 'BIGINT',
  },
  txn: { appId: 'VARCHAR', version: 'BIGINT' },
  remove: {
    path: 'VARCHAR',
    deletionTimestamp: 'BIGINT',
    dataChange: 'BOOLEAN',
    extendedFileMetadata: 'BOOLEAN',
    partitionValues: MAP,
    size: 'BIGINT',
    deletionVector: VECTOR,
  },
  add: {
    path: 'VARCHAR',
    partitionValues: MAP,
    size: 'BIGINT',
    modificationTime: 'BIGINT',
    dataChange: 'BOOLEAN',
    stats: 'VARCHAR',
    tags: MAP,
    deletionVector: VECTOR,
  },
};

/** `duck` is asked for only when there is a checkpoint to read or write. Files come and go in `folder`, which is made. */
export function duckCheckpoints({ duck, folder }: { duck: () => Promise<Duck>; folder: string }): Checkpoints {
  const within = async <T>(
    work: (connection: DuckConnection, path: (name: string) => string) => Promise<T>,
  ): Promise<T> => {
    const base = join(folder, `checkpoint-${randomUUID()}`);
    await mkdir(base, { recursive: true });
    const connection = await (await duck()).connect();
    try {
      return await work(connection, (name) => join(base, name));
    } finally {
      connection.close();
      await rm(base, { recursive: true, force: true });
    }
  };
  return {
    read: (parts, signal) =>
      within(async (connection, path) => {
        const files = parts.map((_, n) => path(`${n}.parquet`));
        for (const [n, part] of parts.entries()) await writeFile(files[n], part);
        try {
          return await readLines(connection, files, signal);
        } catch (error) {
          if (!isCode(error, 'QUERY_FAILED')) throw error;
          throw new TidemarkError('STAGED_BROKEN', 'a checkpoint cannot be read', { cause: error });
        }
      }),
    write: (lines, signal) =>
      within(async (connection, path) => {
        const longest = await writeLines(path('lines.json'), lines, signal);
        await connection.run(copyStatement(path('lines.json'), longest, path('checkpoint.parquet')), signal);
        return readFile(path('checkpoint.parquet'));
      }),
  };
}

/** Every row as the line that a commit would have for it. */
async function readLines(connection: DuckConnection, files: string[], signal: AbortSignal): Promise<string[]> {
  const source = `read_parquet(${texts(files)}, union_by_name = true)`;
  const namesOf = async (select: string) => {
    const columns = await connection.rows<{ column_name: string }>(`DESCRIBE SELECT ${select} FROM ${source}`, signal);
    return columns.map(({ column_name }) => column_name);
  };
  const present = await namesOf('*');
  if (present.includes('sidecar')) {
    const [{ n }] = await connection.rows<{ n: bigint }>(`SELECT count(sidecar) AS n FROM ${source}`, signal);
    if (n > 0n) throw new TidemarkError('STAGED_UNSUPPORTED', 'the Delta table has V2 checkpoints with sidecars');
  }
  const cases: string[] = [];
  for (const [kind, fields] of Object.entries(FIELDS)) {
    if (!present.includes(kind)) continue;
    const there = await namesOf(`unnest(${ident(kind)})`);
    const packed = Object.keys(fields)
      .filter((field) => there.includes(field))
      .map((field) => `${ident(field)} := ${ident(kind)}.${ident(field)}`);
    const line = `'{${JSON.stringify(kind)}:' || to_json(struct_pack(${packed.join(', ')}))::VARCHAR || '}'`;
    cases.push(`WHEN ${ident(kind)} IS NOT NULL THEN ${line}`);
  }
  if (cases.length === 0) return [];
  const rows = await connection.rows<{ line: string | null }>(
    `SELECT CASE ${cases.join(' ')} END AS line FROM ${source}`,
    signal,
  );
  return rows.flatMap(({ line }) => line ?? []);
}

/** Writes the lines; returns the bytes of the longest. */
async function writeLines(path: string, lines: Iterable<string>, signal: AbortSignal): Promise<number> {
  await using file = await open(path, 'wx');
  let longest = 0;
  let waiting: Buffer[] = [];
  let bytes = 0;
  const flush = async () => {
    signal.throwIfAborted();
    await file.writev(waiting);
    waiting = [];
    bytes = 0;
  };
  for (const line of lines) {
    const buffer = Buffer.from(`${line}\n`);
    longest = Math.max(longest, buffer.length);
    bytes += waiting.push(buffer) && buffer.length;
    if (bytes > 1024 * 1024 || waiting.length >= 512) await flush();
  }
  if (waiting.length > 0) await flush();
  return longest;
}

function copyStatement(from: string, longest: number, to: string): string {
  const columns = Object.entries(FIELDS).map(([kind, fields]) => {
    const struct = Object.entries(fields).map(([field, type]) => `${ident(field)} ${type}`);
    return `${ident(kind)}: ${text(`STRUCT(${struct.join(', ')})`)}`;
  });
  // DuckDB takes a buffer of this size for a line before it looks at one.
  const most = Math.max(longest, 64 * 1024) + 1024;
  const lines = `read_json(${text(from)}, format = 'newline_delimited', maximum_object_size = ${most}, columns = {${columns.join(', ')}})`;
  // Snappy: the one codec that every reader of a log has.
  return `COPY (SELECT * FROM ${lines}) TO ${text(to)} (FORMAT parquet, COMPRESSION snappy)`;
}
