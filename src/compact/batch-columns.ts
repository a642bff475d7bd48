/** What a table's columns are once a batch of raw files is in it. */

import { ADDED_COLUMNS } from '../model/column-names.ts';
import { TidemarkError } from '../model/error.ts';
import { isSameName, mergeColumns } from './columns.ts';
import type { DeltaColumn, Snapshot } from './delta/actions.ts';
import type { FileColumn } from './read-files.ts';
import type { Staging } from './staging.ts';
import { deltaTypeOf } from './types.ts';
import type { CompactSettings, EngineDeps } from './work.ts';

export type BatchColumns = {
  columns: DeltaColumn[];
  /** Files that have other columns than these must be written again. */
  outdated: boolean;
};

const ADDED = new Set<string>(Object.values(ADDED_COLUMNS));
/** By these the merge knows where a row is; a column so called would be taken for it. */
const TAKEN = ['file_row_number', '_tidemark_file', '_tidemark_row'];

/** `raw`: the columns that the raw files have; `only`: the columns that may stay, null: all. Pure. Throws SCHEMA_CHANGED, STAGED_UNSUPPORTED. */
export function batchColumns(snapshot: Snapshot | null, raw: FileColumn[], only: Set<string> | null): BatchColumns {
  const found = raw.filter(({ name }) => !ADDED.has(name));
  const taken = found.find(({ name }) => TAKEN.includes(name.toLowerCase()));
  if (taken) {
    throw new TidemarkError('STAGED_UNSUPPORTED', 'a staged table cannot have a column of this name', {
      column: taken.name,
      hint: 'leave it out of the export with `exclude:`, or rename it in a view',
    });
  }
  const incoming = found.map(
    ({ name, type }): DeltaColumn => ({
      name,
      type: deltaTypeOf(type),
      nullable: true,
      metadata: {},
    }),
  );
  const { columns, rewrite } = mergeColumns(snapshot?.metadata.columns ?? null, incoming, only);
  if (columns.length === 0) {
    throw new TidemarkError('STAGED_UNSUPPORTED', 'a staged table has columns, and this table has none', {
      hint: 'its history is in raw/; leave it out with `skip: true`',
    });
  }
  return { columns, outdated: rewrite.length > 0 };
}

export function stagingOf(
  deps: EngineDeps,
  { folder, merge, keyIsPrimary }: CompactSettings,
  key: Pick<Staging, 'key' | 'equality'>,
  { columns, outdated }: BatchColumns,
  files: { bytes: number; rows: number }[],
): Staging {
  const root = `staged/${folder}`;
  return {
    deps,
    root,
    table: deps.table(root),
    mode: merge,
    keyIsPrimary,
    ...key,
    // The table keeps the name that a column came with, though the source writes it in another case by now.
    key: key.key.map((name) => columns.find((column) => isSameName(column.name, name))?.name ?? name),
    columns,
    outdated,
    rowBytes: rowBytes(files, columns.length),
  };
}

/** Compressed files are about a sixth of what DuckDB holds in memory. */
const EXPANSION = 6;
const LEAST_VALUE_BYTES = 12;

function rowBytes(files: { bytes: number; rows: number }[], columns: number): number {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  // A file of a few rows is mostly footer.
  const measured = rows < 1_000 ? 0 : (EXPANSION * bytes) / rows;
  return Math.max(measured, columns * LEAST_VALUE_BYTES);
}
