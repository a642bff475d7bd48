/** A database, exports, compactions and reconciliations of it in this process, and what the staged table then holds. */

import type { TableOutcome } from '../../src/export/work.ts';
import type { Lake } from '../../src/lake/lake.ts';
import type { TableSettings } from '../../src/model/table.ts';
import { reconcileTables } from '../../src/reconcile/reconcile-tables.ts';
import type { Reconciled, ReconcileRequest } from '../../src/reconcile/work.ts';
import { type Compactor, type CompactorOptions, createCompactor } from './compactor.ts';
import { createExporter, type Exporter, tableSettings } from './exporter.ts';
import { createDatabase, type TestDatabase } from './postgres.ts';
import { never } from './state.ts';

/** The named places of a reconciliation that finds something, in order. */
export const STEPS = [
  'staged-read',
  'keys-read',
  'compared',
  'planned',
  'uploaded',
  'prepared',
  'file-completed',
  'completed',
  'committed',
];

export type ReconcileOptions = Partial<Pick<ReconcileRequest, 'acceptDeletes' | 'dryRun' | 'onProgress'>> & {
  settings?: Partial<TableSettings>;
  step?: (name: string) => Promise<void>;
  signal?: AbortSignal;
};

export type ReconcileScene = AsyncDisposable & {
  db: TestDatabase;
  exporter: Exporter;
  compactor: Compactor;
  /** The result, of any state. */
  tryReconcile(table: string, options?: ReconcileOptions): Promise<Reconciled>;
  /** The result; throws the error of one that failed. */
  reconcile(table: string, options?: ReconcileOptions): Promise<Reconciled>;
  /** A table of the ids 1, 2, 3 …, staged. */
  numbers(settings?: Partial<TableSettings>, rows?: number): Promise<string>;
  /** What is new, to the staged table. */
  stage(table: string, settings?: Partial<TableSettings>): Promise<TableOutcome>;
  compact(table: string, settings?: Partial<TableSettings>): Promise<void>;
  /** Deleted rows leave the staged table: reconcile and compact. */
  settle(table: string, options?: ReconcileOptions): Promise<Reconciled>;
  /** One column of the staged table, sorted as text. */
  staged(table: string, column?: string): Promise<(string | null)[]>;
};

export async function createReconcileScene(options: CompactorOptions & { lake?: Lake } = {}): Promise<ReconcileScene> {
  const stack = new AsyncDisposableStack();
  const db = stack.use(await createDatabase());
  const exporter = stack.use(await createExporter(db.url, { lake: options.lake }));
  const compactor = stack.use(await createCompactor(exporter, options));
  const scene = reconcilerOf(exporter, compactor);
  let tables = 0;
  const numbers: ReconcileScene['numbers'] = async (settings = {}, rows = 5) => {
    const table = `numbers${++tables}`;
    await db.query(
      `create table ${table} (id int primary key, name text, updated_at timestamptz not null default now())`,
    );
    await db.query(`insert into ${table} (id, name) select i, 'row ' || i from generate_series(1, ${rows}) i`);
    await scene.stage(table, settings);
    return table;
  };
  return { db, ...scene, numbers, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

export function reconcilerOf(
  exporter: Exporter,
  compactor: Compactor,
): Omit<ReconcileScene, 'db' | 'numbers' | typeof Symbol.asyncDispose> {
  const tryReconcile: ReconcileScene['tryReconcile'] = async (table, given = {}) => {
    const {
      settings,
      step = async () => {},
      signal = never,
      acceptDeletes = false,
      dryRun = false,
      onProgress,
    } = given;
    const deps = { export: { ...exporter.deps, step }, compact: compactor.deps };
    const request = { acceptDeletes, dryRun, onProgress, holder: 'reconciler', leaseMs: 60_000 };
    const [result] = await reconcileTables(
      deps,
      { tables: [tableSettings(table, settings)], ...request },
      () => {},
      signal,
    );
    return result;
  };
  const reconcile: ReconcileScene['reconcile'] = async (table, given) => {
    const result = await tryReconcile(table, given);
    if (result.error) throw result.error;
    return result;
  };
  const compact: ReconcileScene['compact'] = async (table, settings) => {
    const { merge = 'rewrite' } = settings ?? {};
    await compactor.compact(table, { merge });
  };
  return {
    exporter,
    compactor,
    tryReconcile,
    reconcile,
    compact,
    async stage(table, settings) {
      const outcome = await exporter.run(table, { settings });
      await compact(table, settings);
      return outcome;
    },
    async settle(table, given) {
      const result = await reconcile(table, given);
      await compact(table, given?.settings);
      return result;
    },
    async staged(table, column = 'id') {
      return (await compactor.rows(table)).map((row) => row[column]).sort();
    },
  };
}
