/** What a run would read, without reading it. Invariant: nothing is written anywhere, no lease is taken. */

import { sql } from 'kysely';
import type { Mark } from '../model/mark.ts';
import type { TableName, TableSettings } from '../model/table.ts';
import { selectChangedRows } from '../postgres/changed-rows.ts';
import { describeTables } from '../postgres/describe.ts';
import { rowsOf } from '../postgres/query.ts';
import { instantText } from '../postgres/render.ts';
import { openSnapshot } from '../postgres/snapshot.ts';
import type { Source } from '../postgres/source.ts';
import { sourceError } from '../postgres/source-error.ts';
import { planColumns } from './column-plan.ts';

export type DryRun = {
  table: TableName;
  /** `full`: every row; `changed`: by the cursor's index; `scan`: changed rows, found by reading the table. */
  reads: 'full' | 'changed' | 'scan';
  /** Nothing with a cursor value below it is read. */
  floor: string | null;
  cursor: string | null;
  key: string[];
  /** Postgres's own guess. */
  estimatedRows: number;
  query: string;
};

/** Throws what a run of the table would: KEY_MISSING, COLUMN_UNKNOWN, SOURCE_GRANT … */
export async function dryRun(
  source: Source,
  settings: TableSettings,
  mark: Mark | null,
  full: boolean,
  signal: AbortSignal,
): Promise<DryRun> {
  const facts = await source.facts(signal);
  try {
    return await source.use(async (client) => {
      const [table] = await describeTables(client, [settings.name], source.types);
      if (!table) throw Object.assign(new Error('no such table'), { code: '42P01' });
      const plan = planColumns(table, settings, facts.moneyScale);
      const snapshot = await openSnapshot(client, table, source.statementTimeoutMs);
      const since = full ? null : mark;
      const { where, start } = settings;
      const columns = plan.columns.map((column) => ({ name: column.source, selection: column.selection }));
      const query = selectChangedRows({
        table: settings.name,
        columns,
        since,
        xmax: snapshot.xmax,
        cursor: plan.cursor,
        where,
        start,
      });
      const [explained] = await rowsOf(
        client,
        sql<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>`explain (format json) ${sql.raw(query)}`,
      );
      await client.query('rollback');
      const byCursor = plan.cursor !== null && since !== null && since.floor !== null;
      return {
        table: settings.name,
        reads: since === null ? 'full' : byCursor ? 'changed' : 'scan',
        floor: byCursor ? instantText(since.floor!, true) : null,
        cursor: plan.cursor?.column ?? null,
        key: plan.key.map((index) => plan.columns[index].source),
        estimatedRows: explained['QUERY PLAN'][0].Plan['Plan Rows'],
        query,
      };
    }, signal);
  } catch (error) {
    throw sourceError(error, settings.name);
  }
}
