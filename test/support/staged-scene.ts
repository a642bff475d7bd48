/** A state store, a folder as lake, a compactor, and raw runs without a source; for tests of compactions. */

import { type Compactor, type CompactorOptions, createCompactor } from './compactor.ts';
import { createExporter, type Exporter } from './exporter.ts';
import { createDatabase, type TestDatabase } from './postgres.ts';
import { createRawRuns, type RawColumn, type RawRow, type RawRuns } from './raw-runs.ts';

export type StagedScene = AsyncDisposable & {
  database: TestDatabase;
  exporter: Exporter;
  raw: RawRuns;
  compactor: Compactor;
};

export async function createStagedScene(options: CompactorOptions = {}): Promise<StagedScene> {
  const stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase());
  const exporter = stack.use(await createExporter(database.url));
  const raw = stack.use(await createRawRuns(exporter));
  const compactor = stack.use(await createCompactor(exporter, options));
  return { database, exporter, raw, compactor, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** A table of a number and a text, the number its key. */
export const ID_NAME: RawColumn[] = [
  { name: 'id', type: 'INTEGER', key: 1 },
  { name: 'name', type: 'VARCHAR' },
];

/** Rows of ID_NAME: `{1: 'one', 2: null}`; a deleted one is `undefined`. */
export function rowsOf(values: Record<string, string | null | undefined>): RawRow[] {
  return Object.entries(values).map(
    ([id, name]): RawRow => (name === undefined ? { op: 'd', values: { id } } : { values: { id, name } }),
  );
}

/** As `rowsOf` takes them. */
export async function namesOf(
  compactor: Compactor,
  folder: string,
  version?: number,
): Promise<Record<string, string | null>> {
  const rows = await compactor.rows(folder, version);
  const names = Object.fromEntries(rows.map(({ id, name }) => [id!, name]));
  if (Object.keys(names).length < rows.length) throw new Error(`a key is there twice: ${JSON.stringify(rows)}`);
  return names;
}
