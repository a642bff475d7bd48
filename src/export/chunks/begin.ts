/**
 * Begins a run in chunks. Invariant: the mark that the run will leave is taken first; its ids were finished before its
 * snapshot, so every later snapshot sees the rows that the mark calls exported.
 */

import type { Leaf, LeafRule } from '../../model/mark.ts';
import type { ChunkedRun, ChunkRest } from '../../model/run.ts';
import { allFinished } from '../../postgres/finished-ids.ts';
import { openSnapshot } from '../../postgres/snapshot.ts';
import { tableBlocks } from '../../postgres/table-blocks.ts';
import { stepOf } from '../check-count.ts';
import type { Choice } from '../choose-rows.ts';
import { type ColumnPlan, checkedPlan, writtenColumns } from '../column-plan.ts';
import { currentTable, decideRows, tellWhy, wholeLeaves } from '../decide-rows.ts';
import { nextMark } from '../next-mark.ts';
import type { ExportDeps, TableWork } from '../work.ts';
import { chunkStarts, readsText } from './plan-chunks.ts';

/** Nothing is written yet. Throws what a run of the table would. */
export async function planChunked(
  deps: ExportDeps,
  work: TableWork,
  signal: AbortSignal,
): Promise<{ chunked: ChunkedRun; columns: ColumnPlan }> {
  const { source } = deps;
  const { settings } = work;
  const facts = await source.facts(signal);
  return source.use(async (client) => {
    const look = await source.look(client, work.mark, deps.now(), signal);
    const finished = await allFinished(client, look.finished);
    await deps.step('looked');
    const snapshot = await openSnapshot(client, work.table, source.statementTimeoutMs, facts.history);
    const { leaves, at } = snapshot;
    const table = await currentTable(deps, client, work, snapshot);
    const plan = checkedPlan(table, work, facts.moneyScale);
    const { choice, count } = await decideRows(client, work, table, plan, snapshot);
    const starts = chunkStarts(await tableBlocks(client, wholeLeaves(choice, leaves)), settings.chunkBytes);
    await client.query('commit');
    tellWhy(deps, work, choice);
    const mark = nextMark({
      previous: choice.base,
      look: { ...look, finished },
      snapshot,
      // Rows of ids that were finished later come with the next run.
      carried: [],
      watermark: (count ? choice.base : work.mark)?.watermark ?? null,
      lateMs: settings.lateMs,
      marginMs: settings.marginMs,
      leaves,
      history: choice.history,
      doubt: choice.doubt,
      step: count && stepOf(count, at, null),
    });
    const { oid, columnList } = table;
    const chunks = { starts, table: oid, columnList, reads: readsText(plan, settings) };
    const rest = restOf(choice, leaves);
    return { chunked: { plan: chunks, mark, columns: writtenColumns(plan), ...(rest && { rest }) }, columns: plan };
  }, signal);
}

/** Null: every row is read. */
function restOf(choice: Choice, leaves: Leaf[]): ChunkRest | null {
  const { since, apart } = choice;
  if (since === null) return null;
  const rules = new Map<number, LeafRule>(apart.map(({ leaf, rule }) => [leaf.oid, rule]));
  const others = leaves.flatMap(({ oid }) => {
    const rule = rules.get(oid) ?? 'changed';
    return rule === 'all' ? [] : [{ oid, rule }];
  });
  return { since, leaves: others };
}
