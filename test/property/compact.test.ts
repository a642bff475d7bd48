/** Any story of runs and compactions: a staged table is what a map in memory says, at every version. */

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Shape } from '../../src/compact/plan.ts';
import { type Compactor, createCompactor } from '../support/compactor.ts';
import { createExporter, type Exporter } from '../support/exporter.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { createRawRuns, type RawColumn, type RawRuns } from '../support/raw-runs.ts';
import { checkStatistics } from '../support/staged-checks.ts';
import { inOrder, type ModelRun, type Row, StagedModel } from './compact-model.ts';
import { COLUMNS, KEYS, type KeyKind } from './compact-values.ts';

/** COMPACT_SECONDS: play for so long; a failure is then told as it is, without looking for a shorter story. */
const SECONDS = Number(process.env.COMPACT_SECONDS ?? 0);

let database: TestDatabase;
let exporter: Exporter;
let raw: RawRuns;
let compactor: Compactor;

beforeAll(async () => {
  database = await createDatabase();
  exporter = await createExporter(database.url);
  raw = await createRawRuns(exporter);
  compactor = await createCompactor(exporter);
});
afterAll(async () => {
  await compactor?.[Symbol.asyncDispose]();
  await raw?.[Symbol.asyncDispose]();
  await exporter?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

type Change = { key: number; op: 'u' | 'd'; seed: number };
type Event =
  | { what: 'run'; full: boolean; files: number; changes: Change[] }
  | { what: 'columns'; column: number; to: 'add' | 'drop' | 'widen' }
  | { what: 'key widens'; column: number }
  | { what: 'compact'; merge: 'rewrite' | 'vectors'; optimize: boolean; fullSchema: boolean; rebuild: boolean };

const change: fc.Arbitrary<Change> = fc.record({
  key: fc.nat(40),
  op: fc.constantFrom('u', 'u', 'd'),
  seed: fc.nat(1_000_000),
});
const rarely = fc.nat(5).map((n) => n === 5);
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constant('run' as const),
      full: rarely,
      files: fc.integer({ min: 1, max: 3 }),
      changes: fc.array(change, { minLength: 1, maxLength: 12 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('columns' as const),
      column: fc.nat(COLUMNS.length - 1),
      to: fc.constantFrom('add', 'add', 'drop', 'widen'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('key widens' as const), column: fc.nat(1) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constant('compact' as const),
      merge: fc.constantFrom('rewrite', 'vectors'),
      optimize: rarely,
      fullSchema: rarely,
      rebuild: rarely,
    }),
  },
);

const shape: fc.Arbitrary<Shape> = fc.record({
  targetBytes: fc.constantFrom(1, 1_500, 6_000, 32 * 2 ** 20),
  fanIn: fc.constantFrom(2, 3, 8),
  smallBytes: fc.constantFrom(0, 1_200, 2 * 2 ** 20),
  tierBytes: fc.constantFrom(600, 32 * 2 ** 10),
  markedPart: fc.constantFrom(0, 0.2, 0.6, 1),
});

const story = fc.record({
  shape,
  batchBytes: fc.constantFrom(1, 3_000, 256e6),
  kind: fc.constantFrom(...KEYS),
  columns: fc.uniqueArray(fc.nat(COLUMNS.length - 1), { maxLength: 3 }),
  first: fc.array(change, { maxLength: 40 }),
  events: fc.array(event, { minLength: 2, maxLength: 14, size: 'max' }),
});
type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;

/** The source, as it is between runs. */
class Source {
  readonly #kind: KeyKind;
  readonly #levels = new Map<string, number>();
  readonly #columns: Set<number>;

  constructor(kind: KeyKind, columns: number[]) {
    this.#kind = kind;
    this.#columns = new Set(columns);
  }

  alter({ column, to }: Extract<Event, { what: 'columns' }>): void {
    if (to === 'add') this.#columns.add(column);
    else if (to === 'drop') this.#columns.delete(column);
    else this.#widen(COLUMNS[column]);
  }

  widenKey(column: number): void {
    this.#widen(this.#kind.columns[column % this.#kind.columns.length]);
  }

  #widen({ name, types }: { name: string; types: string[] }): void {
    this.#levels.set(name, Math.min(types.length - 1, (this.#levels.get(name) ?? 0) + 1));
  }

  get columns(): RawColumn[] {
    const type = ({ name, types }: { name: string; types: string[] }) => types[this.#levels.get(name) ?? 0];
    const others = [...this.#columns].map((i) => ({ name: COLUMNS[i].name, type: type(COLUMNS[i]) }));
    const key = this.#kind.columns.map((column, i) => ({ name: column.name, type: type(column), key: i + 1 }));
    // The key is not always first.
    return [...others.slice(0, 1), ...key, ...others.slice(1)];
  }

  /** Each key once: the last change of it counts. */
  rows(changes: Change[], full: boolean): ModelRun['rows'] {
    const found = new Map<string, ModelRun['rows'][number]>();
    for (const { key, op, seed } of changes) {
      if (full && op === 'd') continue;
      const values = this.#kind.values[key % this.#kind.values.length];
      // Postgres and DuckDB take these for equal.
      const id = JSON.stringify(values.map((value) => (value === '-0.0' ? '0.0' : value)));
      const row: Record<string, string | null> = {};
      for (const [i, { name }] of this.#kind.columns.entries()) row[name] = values[i];
      for (const column of this.#columns) {
        const pool = COLUMNS[column].values;
        const at = (seed + 31 * column) % (pool.length + 1);
        row[COLUMNS[column].name] = pool[at] ?? null;
      }
      found.set(id, { id, op, row });
    }
    return [...found.values()];
  }
}

let tables = 0;

async function play({ shape, batchBytes, kind, columns, first, events }: Story): Promise<void> {
  const table = `t${++tables}`;
  const source = new Source(kind, columns);
  const model = new StagedModel();
  Object.assign(compactor.deps, { shape, batchBytes });
  const staged = new Map(COLUMNS.map((column) => [column.name, column.staged ?? ((value: string) => value)]));
  const asStaged = (row: Record<string, string | null>) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, value === null ? null : (staged.get(name)?.(value) ?? value)]),
    );
  const key = kind.columns.map(({ name }) => name);

  async function run(changes: Change[], full: boolean, files: number): Promise<void> {
    const rows = source.rows(changes, full);
    if (rows.length === 0 && !full) return;
    const columns = source.columns;
    const per = Math.max(1, Math.ceil(rows.length / files));
    const parts = Array.from({ length: Math.max(1, Math.ceil(rows.length / per)) }, (_, i) =>
      rows.slice(i * per, (i + 1) * per).map(({ op, row }) => ({ op, values: row })),
    );
    const number = await raw.add(table, { full, columns, files: parts });
    const page = await exporter.state.rawRuns(table, number - 1n, new AbortController().signal);
    const [written] = page.runs!;
    model.runs.push({
      run: number,
      full,
      bytes: written.bytes,
      columns: columns.map(({ name }) => name),
      key,
      rows: rows.map(({ id, op, row }) => ({ id, op, row: asStaged(row) })),
    });
  }

  /** DuckDB sorts -0 as 0, and has one place for both in a file's dictionary: the one value that a staged table has otherwise. */
  const comparable = (rows: Row[]) =>
    inOrder(
      rows.map((row) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === '-0.0' ? '0.0' : value])),
      ),
    );
  const isAsModel = async (version: number) => {
    const found = comparable(await compactor.rows(table, version));
    expect({ version, rows: found }).toEqual({ version, rows: comparable(model.rows(version)) });
  };

  async function check(): Promise<void> {
    await isAsModel((await compactor.snapshot(table)).version);
    await checkStatistics(compactor, table, key);
  }

  async function compact({ merge, optimize, fullSchema, rebuild }: Extract<Event, { what: 'compact' }>) {
    const options = { merge, optimize, fullSchema, rebuild: rebuild ? { asOf: null } : null };
    const before = model.history.length - 1;
    const counts = rebuild ? model.rebuild(batchBytes, fullSchema) : model.compact(batchBytes, fullSchema);
    if (fullSchema && !rebuild) model.dropColumns();
    const result = await compactor.compact(table, options);
    expect(result).toMatchObject(counts);
    const newest = model.history.length - 1;
    // Put in order by commits of its own, which change no row.
    const order = result.version! - newest;
    expect(order).toBeLessThanOrEqual(3);
    for (let i = 0; i < order; i++) model.history.push(model.newest!);
    expect(result.version).toBe(model.history.length - 1);
    expect(result.state).toBe(result.version! > before ? 'compacted' : 'nothing');
    await check();
    // NaN and infinity have no bounds in a log: files that hold them seem to overlap all others.
    const bounded = !kind.values.some(([value]) => ['nan', 'inf', '-inf'].includes(value));
    const again = { merge, optimize: optimize && !rebuild && bounded };
    expect(await compactor.compact(table, again)).toMatchObject({
      version: result.version,
      filesAdded: 0,
      state: 'nothing',
    });
  }

  await run(first, true, 2);
  for (const each of events) {
    if (each.what === 'run') await run(each.changes, each.full, each.files);
    else if (each.what === 'columns') source.alter(each);
    else if (each.what === 'key widens') source.widenKey(each.column);
    else await compact(each);
  }
  await compact({ what: 'compact', merge: 'rewrite', optimize: true, fullSchema: false, rebuild: false });
  for (const version of model.history.keys()) await isAsModel(version);
}

test(
  'staged is what a map in memory says, at every version, whatever runs and compactions come',
  async () => {
    await fc.assert(fc.asyncProperty(story, play), {
      ...(SECONDS > 0 ? { numRuns: 1e6, endOnFailure: true } : { numRuns: 25 }),
      interruptAfterTimeLimit: 1_000 * (SECONDS || 30),
    });
  },
  1_000 * (SECONDS || 30) + 60_000,
);
