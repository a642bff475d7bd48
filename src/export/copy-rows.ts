/** What a run, or a chunk of it, reads: from COPY into row groups, and the groups to the writer. Invariant: the sockets wait while enough groups are under way. */

import type pg from 'pg';
import type { IdRange, Mark } from '../model/mark.ts';
import { displayName, type TableSettings } from '../model/table.ts';
import { addedUp } from '../model/unfit-counts.ts';
import { type Blocks, copyChangedRows, type RowChoice } from '../postgres/changed-rows.ts';
import { copyOut, type Flow } from '../postgres/copy-out.ts';
import type { Snapshot } from '../postgres/snapshot.ts';
import type { Source } from '../postgres/source.ts';
import { tableBlocks } from '../postgres/table-blocks.ts';
import { CarriedIds } from './carried-ids.ts';
import type { ColumnPlan } from './column-plan.ts';
import { CursorTracker } from './cursor-tracker.ts';
import { type GroupLimits, GroupReader, type RowGroup } from './group-reader.ts';
import type { RawWriter } from './raw-writer.ts';
import { piecesOf, readTogether, type Together } from './read-together.ts';
import { RowChecks } from './row-checks.ts';
import type { TableWork } from './work.ts';

/** At most so many row groups are encoded and uploaded at once, and one for each further reader; then the sockets wait. */
const GROUPS_UNDER_WAY = 2;

export type CopyPlan = {
  plan: ColumnPlan;
  snapshot: Snapshot;
  /** Ids known to be finished before the snapshot. */
  finished: IdRange[];
  rows: RowChoice & { since: Mark | null };
  trustText: boolean;
  groups: GroupLimits;
  /** Where `readers:` may find help. */
  source: Source;
  /** Readers of an earlier COPY with the same plan, whose buffers are used again; those of this one come into it. */
  kept?: GroupReader[];
};

/** Resolves when the last row was handed to the writer, which may still be encoding and uploading. */
export async function copyRows(
  client: pg.ClientBase,
  { settings, columns, onProgress }: TableWork,
  given: CopyPlan,
  writer: Pick<RawWriter, 'write'>,
  signal: AbortSignal,
) {
  const { plan, snapshot, finished, rows, trustText, groups } = given;
  const ids = new CarriedIds(snapshot, finished);
  const tracker = plan.cursor && new CursorTracker(plan.cursor.type, rows.since);
  const cursorAt = plan.cursor ? dataIndex(plan, plan.cursor.index) : -1;
  const together = await shared(client, settings, given);
  const most = GROUPS_UNDER_WAY + (together ? together.readers - 1 : 0);
  const flows = new Set<Flow>();
  let underWay = 0;
  const onGroup = (group: RowGroup) => {
    if (tracker) tracker.add(group.columns[cursorAt]);
    if (++underWay >= most) for (const flow of flows) flow.pause();
    writer.write(group).then(
      () => {
        if (--underWay < most) for (const flow of flows) flow.resume();
        onProgress(sum(readers.map(({ rows }) => rows)), Number(sum(readers.map(({ bytes }) => BigInt(bytes)))));
      },
      (error) => {
        for (const flow of flows) flow.fail(error);
      },
    );
  };
  const table = displayName(settings.name);
  const checks = settings.expect ? new RowChecks(table, plan, settings.expect, columns) : null;
  const readers: GroupReader[] = [];
  const readerAt = (i: number) => {
    readers[i] ??=
      given.kept?.[i]?.reuse(ids, onGroup, checks) ??
      new GroupReader(table, plan, trustText, ids, groups, onGroup, checks);
    return readers[i];
  };
  const read = async (from: pg.ClientBase, choice: CopyPlan['rows'], reader: GroupReader, until: AbortSignal) => {
    const text = copyChangedRows({
      table: settings.name,
      columns: plan.columns.map(({ source, selection }) => ({ name: source, selection })),
      ...choice,
      xmax: snapshot.xmax,
      cursor: plan.cursor,
      where: settings.where,
      start: settings.start,
    });
    let mine: Flow | null = null;
    const start = (flow: Flow) => {
      mine = flow;
      flows.add(flow);
      if (underWay >= most) flow.pause();
    };
    try {
      await copyOut(from, text, reader, start, until);
    } finally {
      if (mine) flows.delete(mine);
    }
    reader.nextCopy();
  };
  if (together) {
    const readPiece = (from: pg.ClientBase, blocks: Blocks, i: number, until: AbortSignal) =>
      read(from, { ...rows, blocks }, readerAt(i), until);
    await readTogether(client, together, readPiece, signal);
  } else await read(client, rows, readerAt(0), signal);
  const all = Object.values(readers);
  for (const reader of all) reader.finish();
  if (given.kept) Object.assign(given.kept, readers);
  return {
    ids: ids.ids(),
    rows: sum(all.map((reader) => reader.rows)),
    lateRows: tracker?.lateRows ?? 0n,
    watermark: tracker?.watermark ?? null,
    unfit: addedUp(all.map(({ unfit }) => unfit)),
    broken: checks?.broken() ?? [],
  };
}

/** How several connections share the reading of the table; null: one reads it. */
async function shared(
  client: pg.ClientBase,
  settings: TableSettings,
  { plan, snapshot, rows, source }: CopyPlan,
): Promise<Together | null> {
  const { readers, name } = settings;
  // An index finds changed rows without a reading of the table.
  const { since, apart = [], between, only, blocks = { from: 0, to: null } } = rows;
  const byIndex = between !== undefined || (since !== null && plan.cursor !== null && since.floor !== null);
  if (readers === 1 || byIndex || apart.length > 0 || (only && since)) return null;
  const pieces = piecesOf(await tableBlocks(client, only ?? snapshot.leaves), blocks);
  return pieces && { source, table: name, pieces, readers };
}

function sum(values: bigint[]): bigint {
  return values.reduce((all, value) => all + value, 0n);
}

/** Where a planned column's values stand among a group's, which also holds the shadows. */
function dataIndex(plan: ColumnPlan, index: number): number {
  return index + plan.columns.slice(0, index).filter((column) => column.shadow !== null).length;
}
