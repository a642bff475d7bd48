/**
 * Begins a full run of a large table in chunks. Invariant: the mark that the run will leave is taken first; its ids were
 * finished before its snapshot, so every later snapshot sees the rows that the mark calls exported.
 */

import type { ChunkedRun } from '../../model/run.ts';
import { allFinished } from '../../postgres/finished-ids.ts';
import { openSnapshot } from '../../postgres/snapshot.ts';
import { estimatedBytes, tableBlocks } from '../../postgres/table-blocks.ts';
import { stepOf } from '../check-count.ts';
import { chooseRows } from '../choose-rows.ts';
import { type ColumnPlan, checkedPlan, writtenColumns } from '../column-plan.ts';
import { nextMark } from '../next-mark.ts';
import { countOf, currentTable } from '../read-table.ts';
import type { ExportDeps, TableWork } from '../work.ts';
import { chunkStarts, readsText } from './plan-chunks.ts';

/** Tables change after Postgres counted: from this part of a chunk on we count ourselves. */
const LOOK_FROM = 0.25;

/** Null: the table is no larger than a chunk. Nothing is written yet. Throws what a run of the table would. */
export async function planChunked(
  deps: ExportDeps,
  work: TableWork,
  signal: AbortSignal,
): Promise<{ chunked: ChunkedRun; columns: ColumnPlan } | null> {
  const { source } = deps;
  const { settings } = work;
  const previous = work.mark;
  const facts = await source.facts(signal);
  return source.use(async (client) => {
    const estimate = await estimatedBytes(client, work.table.oid);
    if (estimate !== null && estimate < settings.chunkBytes * LOOK_FROM) return null;
    const look = await source.look(client, previous, deps.now(), signal);
    const finished = await allFinished(client, look.finished);
    await deps.step('looked');
    const snapshot = await openSnapshot(client, work.table, source.statementTimeoutMs, facts.history);
    const { leaves, history, at } = snapshot;
    const starts = chunkStarts(await tableBlocks(client, leaves), settings.chunkBytes);
    const table = await currentTable(deps, client, work, snapshot);
    if (starts.length === 1) {
      await client.query('commit');
      return null;
    }
    const plan = checkedPlan(table, work, facts.moneyScale);
    const count = await countOf(client, table, plan);
    await client.query('commit');
    const hasCursor = plan.cursor !== null;
    const choice = chooseRows({ previous, full: true, leaves, history, at, hasCursor });
    const mark = nextMark({
      previous: choice.base,
      look: { ...look, finished },
      snapshot,
      // Rows of ids that were finished later come with the next run.
      carried: [],
      watermark: null,
      lateMs: settings.lateMs,
      marginMs: settings.marginMs,
      leaves,
      history,
      doubt: null,
      step: count && stepOf(count, at, null),
    });
    const { oid, columnList } = table;
    const chunks = { starts, table: oid, columnList, reads: readsText(plan, settings) };
    return { chunked: { plan: chunks, mark, columns: writtenColumns(plan) }, columns: plan };
  }, signal);
}
