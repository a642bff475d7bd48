/**
 * The keys that the source has, as a Parquet file in the spool. Invariant: they are those of one snapshot, which sees every row that was
 * exported, and are decoded and written as an export does.
 */

import { type ColumnPlan, checkedPlan } from '../export/column-plan.ts';
import { copyRows } from '../export/copy-rows.ts';
import { currentTable } from '../export/decide-rows.ts';
import { parquetColumns } from '../export/parquet-columns.ts';
import type { ExportDeps, TableWork } from '../export/work.ts';
import { TidemarkError } from '../model/error.ts';
import type { Mark, Micros } from '../model/mark.ts';
import { displayName, type TableName } from '../model/table.ts';
import { openSnapshot } from '../postgres/snapshot.ts';
import type { Spool } from '../spool/spool.ts';
import { lacksExported } from './judge.ts';
import { KeyFile } from './key-file.ts';

export type SourceKeys = {
  rows: bigint;
  /** The snapshot's clock. */
  at: Micros;
  /** The key's columns by their names in the lake, in its order. */
  key: string[];
};

/** Writes them to `path`. Throws RECONCILE_HISTORY, SPOOL_FULL, and what an export of the table throws. */
export async function readSourceKeys(
  deps: ExportDeps,
  work: TableWork & { mark: Mark },
  { spool, path }: { spool: Spool; path: string },
  signal: AbortSignal,
): Promise<SourceKeys> {
  const { source } = deps;
  const facts = await source.facts(signal);
  // Before a connection is taken: one on which something failed is closed.
  const expected = checkedPlan(work.table, work, facts.moneyScale);
  return source.use(async (client) => {
    const snapshot = await openSnapshot(client, work.table, source.statementTimeoutMs, facts.history);
    const lacks = lacksExported(work.mark, snapshot);
    if (lacks !== null) throw otherHistory(work.table.name, lacks);
    const table = await currentTable(deps, client, work, snapshot);
    const plan = keyPlan(table === work.table ? expected : checkedPlan(table, work, facts.moneyScale));
    const compressor = deps.compressor(work.settings);
    // Without what an export adds.
    const columns = parquetColumns(plan.columns).slice(0, plan.columns.length);
    await using file = await KeyFile.create(path, spool, columns, compressor);
    const copied = await copyRows(
      client,
      // Expectations are about columns that are not read; several readers would read the table, not its index.
      { ...work, settings: { ...work.settings, expect: undefined, readers: 1 } },
      {
        plan,
        snapshot,
        finished: [],
        rows: { since: null, withoutIds: true },
        trustText: facts.trustText,
        groups: deps.groups,
        source,
      },
      file,
      signal,
    );
    await client.query('commit');
    await file.finish();
    return { rows: copied.rows, at: snapshot.at, key: plan.columns.map(({ name }) => name) };
  }, signal);
}

/** The plan of the key's columns alone, in the key's order. */
function keyPlan({ columns, key }: ColumnPlan): ColumnPlan {
  // Without a cursor `start:` does not count: rows that lie before it were perhaps exported by an older configuration.
  return { columns: key.map((index) => columns[index]), key: key.map((_, i) => i), cursor: null };
}

function otherHistory(name: TableName, why: string): TidemarkError {
  const table = displayName(name);
  return new TidemarkError('RECONCILE_HISTORY', `the source may lack rows that were exported: ${why}`, {
    table,
    hint: `a standby that lags behind, or a server that was restored? tidemark export --table ${table} comes first, then reconcile again`,
  });
}
