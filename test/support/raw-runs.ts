/** Committed raw runs without a source: Parquet files put into the lake and named by the state store, as an export would leave them. */

import { mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Duck } from '../../src/duckdb/duck.ts';
import { ident, text } from '../../src/duckdb/literal.ts';
import type { Lake } from '../../src/lake/lake.ts';
import type { Micros } from '../../src/model/mark.ts';
import { type KeyEquality, type RawFile, rawKey } from '../../src/model/run.ts';
import type { StateStore } from '../../src/state/state-store.ts';
import { MARK, never, PLAN, take } from './state.ts';

/** `type`: DuckDB's. `key`: its place in the key, from 1. */
export type RawColumn = { name: string; type: string; key?: number; equality?: KeyEquality };

/** Values as text that DuckDB casts to their column's type, by the column's name; absent: NULL. */
export type RawRow = { op?: 'u' | 'd'; values: Record<string, string | null> };

export type RawRunSpec = {
  full?: boolean;
  columns: RawColumn[];
  /** Rows of each file. */
  files: RawRow[][];
  at?: Micros;
};

export type RawRuns = AsyncDisposable & {
  /** Commits a run of the table `public.<folder>`; returns its number. */
  add(folder: string, spec: RawRunSpec): Promise<bigint>;
  /** A run whose one file is what a select returns; it names the columns as `columns` does. */
  addSelect(folder: string, spec: Omit<RawRunSpec, 'files'> & { select: string }): Promise<bigint>;
  /** A run with a file for each select. */
  addSelects(folder: string, spec: Omit<RawRunSpec, 'files'>, selects: string[]): Promise<bigint>;
};

const VALUES_AT_ONCE = 500;

export async function createRawRuns({ state, lake }: { state: StateStore; lake: Lake }): Promise<RawRuns> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tidemark-raw-'));
  const duck = await Duck.open({
    memoryBytes: 300e6,
    threads: 1,
    tempFolder: path.join(folder, 'temp'),
    tempBytes: 4e9,
  });
  const connection = await duck.connect();
  let files = 0;

  async function fill(columns: RawColumn[], rows: RawRow[]): Promise<string> {
    const declared = columns.map(({ name, type }) => `${ident(name)} ${type}`);
    await connection.run(`CREATE OR REPLACE TABLE raw (${[...declared, '"_tidemark_op" VARCHAR']})`, never);
    const literal = (value: string | null | undefined, type: string) =>
      value == null ? 'NULL' : `${text(value)}::${type}`;
    const tuples = rows.map(({ op = 'u', values }) => {
      const fields = columns.map(({ name, type, key }) =>
        op === 'd' && key === undefined ? 'NULL' : literal(values[name], type),
      );
      return `(${[...fields, text(op)]})`;
    });
    for (let i = 0; i < tuples.length; i += VALUES_AT_ONCE) {
      await connection.run(`INSERT INTO raw VALUES ${tuples.slice(i, i + VALUES_AT_ONCE)}`, never);
    }
    return 'SELECT * FROM raw';
  }

  /** The file in the lake, with the columns that an export adds. */
  async function land(key: string, part: number, run: bigint, select: string): Promise<RawFile> {
    const file = path.join(folder, `${++files}.parquet`);
    const op = select.includes('_tidemark_op') || select.includes('FROM raw') ? '' : `, 'u' AS "_tidemark_op"`;
    const [{ count }] = await connection.rows<{ count: bigint }>(
      `COPY (SELECT *${op}, ${run}::BIGINT AS "_tidemark_run", TIMESTAMPTZ '2026-07-01 10:00:00+00' AS "_tidemark_at" FROM (${select}))
       TO ${text(file)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480, RETURN_STATS)`,
      never,
    );
    const { size } = await stat(file);
    await lake.putFile(key, file, never);
    await rm(file, { force: true });
    return { key, part, bytes: size, rows: Number(count), upload: { id: key, parts: [] }, bounds: {} };
  }

  async function commit(
    table: string,
    spec: Omit<RawRunSpec, 'files'>,
    write: (run: bigint, prefix: string) => Promise<RawFile[]>,
  ): Promise<bigint> {
    const { lease } = await take(state, table);
    try {
      const plan = { ...PLAN, full: spec.full ?? false, snapshotAt: spec.at ?? PLAN.snapshotAt };
      const { run, prefix } = await state.plan(lease, plan, never);
      const written = await write(run, prefix);
      const columns = spec.columns.map(({ name, key, equality }) => ({
        source: name,
        name,
        type: { kind: 'string' as const },
        ...(key === undefined ? {} : { key }),
        ...(equality === undefined ? {} : { equality }),
      }));
      const rows = BigInt(written.reduce((sum, file) => sum + file.rows, 0));
      await state.prepare(lease, run, { files: written, mark: MARK, rows, lateRows: 0n, unfit: {}, columns }, never);
      await state.commit(lease, run, never);
      return run;
    } finally {
      await state.release([lease]);
    }
  }

  const addSelects: RawRuns['addSelects'] = (table, spec, selects) =>
    commit(table, spec, async (run, prefix) => {
      const written: RawFile[] = [];
      for (const [part, select] of selects.entries()) written.push(await land(rawKey(prefix, part), part, run, select));
      return written;
    });

  return {
    addSelects,
    addSelect: (table, { select, ...spec }) => addSelects(table, spec, [select]),
    add: (table, spec) =>
      commit(table, spec, async (run, prefix) => {
        const written: RawFile[] = [];
        for (const [part, rows] of spec.files.entries()) {
          written.push(await land(rawKey(prefix, part), part, run, await fill(spec.columns, rows)));
        }
        return written;
      }),
    async [Symbol.asyncDispose]() {
      await duck[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
