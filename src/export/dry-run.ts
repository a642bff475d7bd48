/** What a run would read, without reading it. Invariant: nothing is written anywhere, no lease is taken. */

import { sql } from 'kysely';
import type { Mark } from '../model/mark.ts';
import type { Range } from '../model/range.ts';
import type { TableName, TableSettings } from '../model/table.ts';
import { coveredValue } from '../model/trail.ts';
import { selectChangedRows } from '../postgres/changed-rows.ts';
import { describeTables } from '../postgres/describe.ts';
import { leafChoices } from '../postgres/leaves.ts';
import { rowsOf } from '../postgres/query.ts';
import { instantText } from '../postgres/render.ts';
import { openSnapshot } from '../postgres/snapshot.ts';
import type { Source } from '../postgres/source.ts';
import { sourceError } from '../postgres/source-error.ts';
import { planColumns } from './column-plan.ts';
import { chunksOf, decideRows } from './decide-rows.ts';
import { cursorBounds, exportedBefore } from './repeat-range.ts';

export type DryRun = {
  table: TableName;
  /** `full`: every row; `changed`: by the cursor's index; `scan`: changed rows, found by reading the table; `range`: what a repeat reads. */
  reads: 'full' | 'changed' | 'scan' | 'range';
  /** Nothing with a cursor value below it is read. */
  floor: string | null;
  cursor: string | null;
  key: string[];
  /** How many chunks it goes in; null: it is read in one transaction. */
  chunks: number | null;
  /** Postgres's own guess. */
  estimatedRows: number;
  query: string;
};

/** Throws what a run of the table would: KEY_MISSING, COLUMN_UNKNOWN, SOURCE_GRANT … */
export async function dryRun(
  source: Source,
  settings: TableSettings,
  mark: Mark | null,
  { full, range }: { full: boolean; range?: Range | null },
  signal: AbortSignal,
): Promise<DryRun> {
  const facts = await source.facts(signal);
  try {
    return await source.use(async (client) => {
      const [table] = await describeTables(client, [settings.name], source.types);
      if (!table) throw Object.assign(new Error('no such table'), { code: '42P01' });
      const plan = planColumns(table, settings, facts.moneyScale);
      const snapshot = await openSnapshot(client, table, source.statementTimeoutMs, facts.history);
      if (range) exportedBefore(settings.name, mark);
      const between = range ? cursorBounds(settings.name, plan, range) : undefined;
      const { choice } = await decideRows(client, { mark, full }, table, plan, snapshot);
      const since = range ? null : choice.since;
      const apart = range ? [] : await leafChoices(client, choice.apart);
      const { where, start } = settings;
      const columns = plan.columns.map((column) => ({ name: column.source, selection: column.selection }));
      const query = selectChangedRows({
        table: settings.name,
        columns,
        since,
        apart,
        between,
        xmax: snapshot.xmax,
        cursor: plan.cursor,
        where,
        start,
      });
      const [explained] = await rowsOf(
        client,
        sql<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>`explain (format json) ${sql.raw(query)}`,
      );
      const starts = range ? null : await chunksOf(client, choice, snapshot.leaves, settings.chunkBytes);
      await client.query('rollback');
      const value = plan.cursor?.type === 'bigint' ? coveredValue(since?.trail ?? [], since?.floor ?? null) : null;
      const byCursor =
        plan.cursor !== null &&
        since !== null &&
        since.floor !== null &&
        (plan.cursor.type !== 'bigint' || value !== null);
      return {
        table: settings.name,
        reads: range ? 'range' : since === null ? 'full' : byCursor ? 'changed' : 'scan',
        floor: !byCursor ? null : value === null ? instantText(since.floor!, true) : String(value),
        cursor: plan.cursor?.column ?? null,
        key: plan.key.map((index) => plan.columns[index].source),
        chunks: starts && starts.length + (choice.full ? 0 : 1),
        estimatedRows: explained['QUERY PLAN'][0].Plan['Plan Rows'],
        query,
      };
    }, signal);
  } catch (error) {
    throw sourceError(error, settings.name);
  }
}
