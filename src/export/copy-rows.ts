/** One COPY: its rows into row groups, and the groups to the writer. Invariant: the socket waits while enough groups are under way. */

import type pg from 'pg';
import type { IdRange, Mark } from '../model/mark.ts';
import { displayName } from '../model/table.ts';
import { copyChangedRows, type RowChoice } from '../postgres/changed-rows.ts';
import { copyOut, type Flow } from '../postgres/copy-out.ts';
import type { Snapshot } from '../postgres/snapshot.ts';
import { CarriedIds } from './carried-ids.ts';
import type { ColumnPlan } from './column-plan.ts';
import { CursorTracker } from './cursor-tracker.ts';
import { type GroupLimits, GroupReader, type RowGroup } from './group-reader.ts';
import type { RawWriter } from './raw-writer.ts';
import { RowChecks } from './row-checks.ts';
import type { TableWork } from './work.ts';

/** At most so many row groups are encoded and uploaded at once; then the socket waits. */
const GROUPS_UNDER_WAY = 2;

export type CopyPlan = {
  plan: ColumnPlan;
  snapshot: Snapshot;
  /** Ids known to be finished before the snapshot. */
  finished: IdRange[];
  rows: RowChoice & { since: Mark | null };
  trustText: boolean;
  groups: GroupLimits;
};

/** Resolves when the last row was handed to the writer, which may still be encoding and uploading. */
export async function copyRows(
  client: pg.ClientBase,
  { settings, columns, onProgress }: TableWork,
  { plan, snapshot, finished, rows, trustText, groups }: CopyPlan,
  writer: RawWriter,
  signal: AbortSignal,
) {
  const ids = new CarriedIds(snapshot, finished);
  const tracker = plan.cursor && new CursorTracker(plan.cursor.type, rows.since);
  const cursorAt = plan.cursor ? dataIndex(plan, plan.cursor.index) : -1;
  let flow: Flow | null = null;
  let underWay = 0;
  const onGroup = (group: RowGroup) => {
    if (tracker) tracker.add(group.columns[cursorAt]);
    if (++underWay >= GROUPS_UNDER_WAY) flow?.pause();
    writer.write(group).then(
      () => {
        if (--underWay < GROUPS_UNDER_WAY) flow?.resume();
        onProgress(reader.rows, reader.bytes);
      },
      (error) => flow?.fail(error),
    );
  };
  const table = displayName(settings.name);
  const checks = settings.expect ? new RowChecks(table, plan, settings.expect, columns) : null;
  const reader = new GroupReader(table, plan, trustText, ids, groups, onGroup, checks);
  const text = copyChangedRows({
    table: settings.name,
    columns: plan.columns.map(({ source, selection }) => ({ name: source, selection })),
    ...rows,
    xmax: snapshot.xmax,
    cursor: plan.cursor,
    where: settings.where,
    start: settings.start,
  });
  await copyOut(
    client,
    text,
    reader,
    (given) => {
      flow = given;
    },
    signal,
  );
  flow = null;
  reader.finish();
  return {
    ids: ids.ids(),
    rows: reader.rows,
    lateRows: tracker?.lateRows ?? 0n,
    watermark: tracker?.watermark ?? null,
    unfit: reader.unfit,
    broken: checks?.broken() ?? [],
  };
}

/** Where a planned column's values stand among a group's, which also holds the shadows. */
function dataIndex(plan: ColumnPlan, index: number): number {
  return index + plan.columns.slice(0, index).filter((column) => column.shadow !== null).length;
}
