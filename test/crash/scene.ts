/** A table, a lake and processes that die on it; and what must be true afterwards, whatever died where. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { TableResult } from '../../src/export/export-tables.ts';
import type { LakeConfig } from '../../src/lake/settings.ts';
import type { TableSettings } from '../../src/model/table.ts';
import { type ExportOrder, exportByOrder, type Step } from '../support/export-order.ts';
import { lakeRows } from '../support/lake-rows.ts';
import type { TestDatabase } from '../support/postgres.ts';
import type { S3Server } from '../support/s3-server.ts';
import type { Place } from './run-export.ts';

const CHILD = fileURLToPath(new URL('./run-export.ts', import.meta.url));

/** A lake, and a look at it that does not go through our own code. */
export type TestLake = AsyncDisposable & {
  config: LakeConfig;
  /** Every visible key below raw/<folder>/. */
  keys(folder: string): Promise<string[]>;
  /** The keys there whose uploads are neither completed nor aborted. */
  uploads(folder: string): Promise<string[]>;
  /** Throws those uploads away, as a lifecycle rule does. */
  expire(folder: string, which?: (id: string) => boolean): Promise<void>;
  rows(folder: string): Promise<Record<string, string | null>[]>;
};

export async function folderLake(): Promise<TestLake> {
  const baseDir = await mkdtemp(path.join(os.tmpdir(), 'tidemark-crash-'));
  const root = path.join(baseDir, 'lake');
  // Of the one folder: other tables' folders come and go meanwhile.
  const files = async (below: string) => {
    const found = await readdir(path.join(root, below), { recursive: true, withFileTypes: true }).catch(() => []);
    return found
      .filter((each) => each.isFile())
      .map((each) => path.relative(root, path.join(each.parentPath, each.name)));
  };
  const uploads = (folder: string) => files(`_uploads/raw/${folder}`);
  return {
    config: { url: 'file:./lake', baseDir },
    keys: (folder) => files(`raw/${folder}`),
    uploads,
    async expire(folder, which = () => true) {
      for (const each of (await uploads(folder)).filter(which)) await rm(path.join(root, each));
    },
    rows: (folder) => lakeRows(path.join(root, 'raw', folder)),
    [Symbol.asyncDispose]: () => rm(baseDir, { recursive: true, force: true }),
  };
}

/** Under a prefix of the server's bucket. */
export function bucketLake(server: S3Server): TestLake {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'testtest' });
  const s3 = { endpoint: server.endpoint, region: 'us-east-1', force_path_style: true, part_size: 64 * 1024 };
  const { bucket } = server;
  const below = (folder: string, key: string) => (key.startsWith(`p/raw/${folder}/`) ? [key.slice(2)] : []);
  return {
    config: { url: 's3://lake/p', baseDir: '/', s3 },
    keys: async (folder) => bucket.keys().flatMap((key) => below(folder, key)),
    uploads: async (folder) => [...bucket.uploads.values()].flatMap(({ key }) => below(folder, key)),
    async expire(folder, which = () => true) {
      for (const { id, key } of bucket.uploads.values())
        if (below(folder, key).length > 0 && which(id)) bucket.abort(id);
    },
    async rows(folder) {
      const copy = await mkdtemp(path.join(os.tmpdir(), 'tidemark-bucket-'));
      try {
        for (const [key, object] of bucket.objects) {
          await mkdir(path.join(copy, path.dirname(key)), { recursive: true });
          await writeFile(path.join(copy, key), object.body);
        }
        return await lakeRows(path.join(copy, 'p/raw', folder));
      } finally {
        await rm(copy, { recursive: true, force: true });
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Rows of a table whose versions have numbers of their own: 40 rows are 4 files. */
export const ROWS = 40;
export const CHANGED = 20;
const GROUP_ROWS = 10;

export async function createTable(db: TestDatabase, table: string): Promise<void> {
  await db.query(`create sequence if not exists version`);
  await db.query(`create table ${table} (id int primary key, version int not null default nextval('version'),
    updated_at timestamptz not null default now())`);
  await db.query(`create index on ${table} (updated_at)`);
  await db.query(`insert into ${table} select generate_series(1, ${ROWS})`);
}

/** Every other row gets a new version. */
export async function change(db: TestDatabase, table: string): Promise<void> {
  await db.query(`update ${table} set version = nextval('version'), updated_at = now() where id % 2 = 0`);
}

const EXPIRE = `update tidemark.lease l set expires_at = clock_timestamp()
  from tidemark.source_table t where t.id = l.table_id and t.folder = $1 and l.holder is not null`;

export type Child = {
  /** Steps that it said so far. */
  steps: string[];
  /** Resolves at the step (the place's name), or when it ended. */
  reached(step: string, nth: number): Promise<void>;
  ended: Promise<{
    signal: NodeJS.Signals | null;
    code: number | null;
    results: { state: string; error: string | null }[];
  }>;
  /** Ends the stop; resolves when it ended. */
  goOn(): Child['ended'];
  kill(): void;
};

export type Scene = {
  order(table: string): ExportOrder;
  /** A process of its own that exports the table. */
  start(table: string, at: Place | null): Child;
  /** As start(), to its death at the place and the end of its lease. */
  dies(table: string, step: string, nth?: number): Promise<void>;
  /** The lease's time is over, in an instant. */
  leaseEnds(table: string): Promise<void>;
  /** An export by this process. */
  run(table: string, step?: Step): Promise<TableResult>;
  versions(table: string): Promise<number[]>;
  /** Of every visible row of the lake, in order. */
  found(table: string): Promise<number[]>;
  /** That the table in the lake is what it was, version for version, and that nothing else is left anywhere. */
  isWhole(table: string, versions: number[]): Promise<void>;
};

/** The same rows on eight pages, two of which are a chunk. */
export async function createLargeTable(db: TestDatabase, table: string): Promise<void> {
  await db.query(`create table ${table} (id int primary key, version int not null default nextval('version'),
    pad text not null default repeat('x', 1400), updated_at timestamptz not null default now())`);
  await db.query(`alter table ${table} alter pad set storage plain`);
  await db.query(`create index on ${table} (updated_at)`);
  await db.query(`insert into ${table} select generate_series(1, ${ROWS})`);
}

/** Settings under which createLargeTable's goes in CHUNKS chunks. */
export const IN_CHUNKS: Partial<TableSettings> = { chunkBytes: 26_000 };
export const CHUNKS = 4;

export function scene(db: TestDatabase, lake: TestLake, settings: Partial<TableSettings> = {}): Scene {
  const order = (table: string): ExportOrder => ({
    url: db.url,
    lake: lake.config,
    tables: [table],
    settings: { fileBytes: 1, ...settings },
    groupRows: GROUP_ROWS,
  });
  const start = (table: string, at: Place | null): Child => startChild({ ...order(table), at });
  const run = async (table: string, step?: Step) => (await exportByOrder(order(table), step))[0];
  const found = async (table: string) =>
    (await lake.rows(table)).map((row) => Number(row.version)).sort((a, b) => a - b);
  return {
    order,
    start,
    run,
    async dies(table, step, nth = 1) {
      const child = start(table, { step, nth, signal: 'SIGKILL' });
      const { signal, results } = await child.ended;
      expect({ signal, results, steps: child.steps }).toMatchObject({ signal: 'SIGKILL' });
      await db.query(EXPIRE, [table]);
    },
    async leaseEnds(table) {
      await db.query(EXPIRE, [table]);
    },
    async versions(table) {
      const rows = await db.query<{ version: number }>(`select version from ${table} order by 1`);
      return rows.map((row) => row.version);
    },
    found,
    async isWhole(table, versions) {
      expect(await found(table)).toEqual(versions.toSorted((a, b) => a - b));
      const manifest = await db.query<{ key: string }>(
        `select key from tidemark.raw_file join tidemark.run using (run) join tidemark.source_table t on t.id = table_id
         where folder = $1 and state = 'committed'`,
        [table],
      );
      expect((await lake.keys(table)).sort()).toEqual(manifest.map((row) => row.key).sort());
      expect(await lake.uploads(table)).toEqual([]);
      const open = await db.query(
        `select run, r.state, holder from tidemark.source_table t join tidemark.run r on r.table_id = t.id
         join tidemark.lease l on l.table_id = t.id
         where folder = $1 and (r.state in ('planned', 'prepared') or holder is not null)`,
        [table],
      );
      expect(open).toEqual([]);
      expect(await run(table)).toMatchObject({ state: 'nothing' });
    },
  };
}

function startChild(order: ExportOrder & { at: Place | null }): Child {
  const env = { ...process.env, NODE_COMPILE_CACHE: path.join(os.tmpdir(), 'tidemark-test-compile-cache') };
  const child = spawn(process.execPath, [CHILD, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'inherit'], env });
  const steps: string[] = [];
  const results: { state: string; error: string | null }[] = [];
  const waiting = new Set<() => void>();
  const lines = createInterface({ input: child.stdout! });
  lines.on('line', (line) => {
    if (line.startsWith('step ')) steps.push(line.slice(5));
    else results.push(JSON.parse(line));
    for (const wake of waiting) wake();
  });
  const closed = once(lines, 'close');
  const ended = once(child, 'exit').then(async ([code, signal]) => {
    await closed;
    for (const wake of waiting) wake();
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, results };
  });
  return {
    steps,
    async reached(step, nth) {
      while (
        steps.filter((name) => name === step).length < nth &&
        child.exitCode === null &&
        child.signalCode === null
      ) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.add(resolve);
        await promise;
        waiting.delete(resolve);
      }
    },
    ended,
    async goOn() {
      // Again and again: it says the step a moment before it stops, and a signal before that would be lost.
      const again = setInterval(() => child.kill('SIGCONT'), 50);
      return ended.finally(() => clearInterval(again));
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
