/**
 * Finds the tables in which nothing is new, many in one transaction, and moves their marks. Invariant: a table counts as idle
 * only when its own export, under the same snapshot, would have brought no row and said nothing; every other one is left to
 * its own export.
 */

import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import { TidemarkError } from '../model/error.ts';
import type { Mark } from '../model/mark.ts';
import type { TableSettings } from '../model/table.ts';
import { openShared, type SharedSnapshot, whichBring } from '../postgres/changed-at-all.ts';
import { selectChangedRows } from '../postgres/changed-rows.ts';
import type { SourceTable } from '../postgres/describe.ts';
import type { HistoryAsks } from '../postgres/history.ts';
import type { Look } from '../postgres/look.ts';
import type { Rest, Standing } from '../state/standing.ts';
import { type Choice, chooseRows } from './choose-rows.ts';
import { type ColumnPlan, planColumns, writtenColumns } from './column-plan.ts';
import { nextMark } from './next-mark.ts';
import type { ExportDeps } from './work.ts';

export type IdleCandidate = { settings: TableSettings; table: SourceTable | null; standing: Standing };

/** What can be looked at together with others. */
type Known<T> = { item: T; settings: TableSettings; table: SourceTable; plan: ColumnPlan; mark: Mark; rest: Rest };

/** Leaves in one transaction: each is locked, with its indexes, and a server's lock table is finite. */
const LEAVES_AT_ONCE = 100;
/** Bytes of a table that is read whole for a look; for larger ones without an index one reading, the export's own, is enough. */
const SMALL_BYTES = 8 << 20;
/** Length of a mark's seen set in ranges; longer ones make the statement long. */
const MOST_RANGES = 200;

/**
 * Resolves to those that are not idle, in their order, once the marks of the idle ones are saved. `onIdle` is told of each of
 * these, with its new mark and its share of the time in seconds. Throws STATE_* and, when the source cannot be reached, SOURCE_*.
 */
export async function passIdle<T extends IdleCandidate>(
  deps: ExportDeps,
  items: T[],
  onIdle: (item: T, mark: Mark, seconds: number) => void,
  signal: AbortSignal,
): Promise<T[]> {
  const { moneyScale, history } = await deps.source.facts(signal);
  const known = items.flatMap((item) => knownOf(item, moneyScale) ?? []);
  // For one table a look would be one more question than its export asks anyway.
  if (known.length < 2) return items;
  const idle = new Set<T>();
  for (const batch of batches(known)) {
    if (signal.aborted) break;
    const began = deps.now();
    try {
      const found = await deps.source.use((client) => lookAt(deps, client, batch, history, signal), signal);
      const moved = found.map(({ known: { rest }, mark }) => ({ rest, mark }));
      if (moved.length > 0) await deps.state.moveMarks(moved, signal);
      const seconds = (deps.now() - began) / 1000 / batch.length;
      for (const { known, mark } of found) {
        idle.add(known.item);
        onIdle(known.item, mark, seconds);
      }
    } catch (error) {
      if (signal.aborted) break;
      if (error instanceof TidemarkError && error.code !== 'SOURCE_LOST') throw error;
      // The connection is lost, or there is too much to read since a floor that an open transaction holds down: the tables'
      // own exports find out whom it concerns, and are not kept waiting by further looks.
      deps.log.debug({ err: error }, 'a look at several tables broke off');
      break;
    }
  }
  return items.filter((item) => !idle.has(item));
}

function knownOf<T extends IdleCandidate>(item: T, moneyScale: number): Known<T> | null {
  const { settings, table, standing } = item;
  const { mark, rest } = standing;
  if (!table || !mark?.leaves || !rest || mark.leaves.length > LEAVES_AT_ONCE || mark.seen.length > MOST_RANGES)
    return null;
  try {
    const plan = planColumns(table, settings, moneyScale);
    // Whether a count was set back is for a run of its own to see.
    if (plan.cursor?.type === 'bigint') return null;
    // Other columns than the last run wrote are for a run of its own to check and to note down.
    return isDeepStrictEqual(writtenColumns(plan), rest.columns) ? { item, settings, table, plan, mark, rest } : null;
  } catch {
    // The table's own export says what is wrong with it.
    return null;
  }
}

function* batches<T>(known: Known<T>[]): Generator<Known<T>[]> {
  let batch: Known<T>[] = [];
  let leaves = 0;
  for (const one of known) {
    const more = one.mark.leaves!.length;
    if (batch.length > 0 && leaves + more > LEAVES_AT_ONCE) {
      yield batch;
      batch = [];
      leaves = 0;
    }
    batch.push(one);
    leaves += more;
  }
  if (batch.length > 0) yield batch;
}

type Found<T> = { known: Known<T>; mark: Mark };

/** Those in which nothing is new. One that fails must not take the others with it: they are looked at in halves, then. */
async function lookAt<T>(
  deps: ExportDeps,
  client: pg.ClientBase,
  batch: Known<T>[],
  history: HistoryAsks,
  signal: AbortSignal,
): Promise<Found<T>[]> {
  try {
    return await lookOnce(deps, client, batch, history, signal);
  } catch (error) {
    if (!isOfStatement(error)) throw error;
    await client.query('rollback');
    deps.log.debug({ err: error, tables: batch.length }, 'a look at several tables failed');
    if (batch.length === 1) return [];
    const half = batch.length >> 1;
    const first = await lookAt(deps, client, batch.slice(0, half), history, signal);
    return [...first, ...(await lookAt(deps, client, batch.slice(half), history, signal))];
  }
}

/** An error for which one of the tables is to blame. Not a time limit (57014): in halves there would be as much to read. */
function isOfStatement(error: unknown): error is Error & { code: string } {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^(08|57)/.test(code);
}

async function lookOnce<T>(
  { source, now }: ExportDeps,
  client: pg.ClientBase,
  batch: Known<T>[],
  history: HistoryAsks,
  signal: AbortSignal,
): Promise<Found<T>[]> {
  const look = await source.look(client, batch[0].mark, now(), signal);
  const tables = batch.map(({ table, plan, mark }) => ({
    name: table.name,
    oid: table.oid,
    cursor: mark.floor === null ? null : (plan.cursor?.column ?? null),
  }));
  const snapshot = await openShared(client, tables, history);
  const asked = batch.flatMap((known, i) => askedOf(known, snapshot, i) ?? []);
  const bring = await whichBring(
    client,
    asked.map(({ query }) => query),
  );
  await client.query('commit');
  return asked.filter((_, i) => !bring.has(i)).map((one) => ({ known: one.known, mark: markOf(one, look, snapshot) }));
}

type Asked<T> = { known: Known<T>; choice: Choice; leaves: NonNullable<Mark['leaves']>; query: string };

/** The question to ask of a table; null where its export would have more to do, or to say, than bring changed rows. */
function askedOf<T>(known: Known<T>, snapshot: SharedSnapshot, place: number): Asked<T> | null {
  const { settings, plan, mark } = known;
  const found = snapshot.tables[place];
  if (!found) return null;
  const { leaves, bytes, indexed } = found;
  const { history, at, xmax } = snapshot;
  const hasCursor = plan.cursor !== null;
  const choice = chooseRows({ previous: mark, full: false, leaves, history, at, hasCursor });
  if (choice.since === null || choice.changed !== null || choice.apart.length > 0) return null;
  const byIndex = indexed && choice.since.floor !== null;
  if (!byIndex && bytes > SMALL_BYTES) return null;
  const query = selectChangedRows({
    table: settings.name,
    columns: [],
    since: choice.since,
    xmax,
    cursor: plan.cursor,
    where: settings.where,
    start: settings.start,
  });
  return { known, choice, leaves, query };
}

function markOf<T>({ known, choice, leaves }: Asked<T>, look: Look, snapshot: SharedSnapshot): Mark {
  const { mark, settings } = known;
  const { lateMs, marginMs } = settings;
  const { base: previous, doubt, history } = choice;
  return nextMark({
    previous,
    look,
    snapshot,
    carried: [],
    watermark: mark.watermark,
    lateMs,
    marginMs,
    leaves,
    history,
    doubt,
  });
}
