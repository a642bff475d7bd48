/**
 * Brings rows into the table. Invariant: a row that the target refuses is set apart with Postgres's reason, and every other one
 * goes in. Works inside the caller's transaction; what it throws is no row's fault.
 */

import type pg from 'pg';
import type { TableName } from '../../model/table.ts';
import type { LoadSettings } from '../settings.ts';
import { COPY_TEMP, createTemp, type InsertOptions, insertSql, TEMP } from './batch-sql.ts';
import { copyIn } from './copy-in.ts';
import type { TablePlan } from './plan-columns.ts';
import { cutLine } from './rows-text.ts';
import { type Suspect, siftSql, suspectOf } from './suspects.ts';
import { isRowError, type ServerError } from './target-error.ts';

/** `number`: of its drop in the batch. */
export type Refused = { number: number; line: number; reason: string; column: string | null };

/** `written`: rows by drop (or by line) that were inserted or changed; null: all that were not refused. */
export type PutRows = { refused: Refused[]; written: Map<number, number> | null };

/** The table, and what was learnt of it by earlier batches. */
export type PutInto = {
  plan: TablePlan;
  into: TableName;
  onConflict: LoadSettings['onConflict'];
  /** What refused rows before, by its name: asked first from then on, since an INSERT that fails is work thrown away. */
  suspects: Map<string, Suspect>;
  /** Rows were met that are there already: their number must be known for each drop. */
  meetsKnown: boolean;
};

/** Lines that COPY itself refuses, as text, one by one: a batch with more is broken. */
const MOST_CUT = 200;

export async function putRows(
  client: pg.ClientBase,
  into: PutInto,
  pieces: Uint8Array[],
  rows: number,
  by: '_d' | '_l',
  signal: AbortSignal,
): Promise<PutRows> {
  const { asText, refused } = await copyRows(client, into.plan, pieces, signal);
  for (const [name, suspect] of into.suspects) {
    const found = await sift(client, into.plan, suspect, asText);
    if (found === null) into.suspects.delete(name);
    else refused.push(...found);
  }
  for (;;) {
    const left = rows - refused.length;
    if (left === 0) return { refused, written: new Map() };
    const done = await tryInsert(client, into, { asText, where: null, countBy: into.meetsKnown ? by : null }, left);
    if (done === 'known') {
      into.meetsKnown = true;
    } else if (!(done instanceof Error)) {
      return { refused, written: done };
    } else {
      const found = await findRefused(client, into, done, asText);
      if (found.length > 0) refused.push(...found);
      else return await halve(client, into, asText, by, refused);
    }
  }
}

/** Fills the temporary table; as text where a value does not fit its column there. */
async function copyRows(client: pg.ClientBase, plan: TablePlan, rows: Uint8Array[], signal: AbortSignal) {
  const refused: Refused[] = [];
  let pieces = rows;
  let asText = false;
  for (;;) {
    await client.query(`savepoint tidemark_copy; ${createTemp(plan, asText)}`);
    try {
      await copyIn(client, COPY_TEMP, pieces, signal);
      return { asText, refused };
    } catch (error) {
      if (!isRowError(error)) throw error;
      await client.query('rollback to savepoint tidemark_copy');
      if (asText) {
        // As text only the database's encoding can be in the way.
        const at = /line (\d+)/.exec(error.where ?? '');
        if (!at || refused.length === MOST_CUT) throw error;
        const cut = cutLine(pieces, Number(at[1]));
        pieces = cut.pieces;
        refused.push({ number: cut.number, line: cut.line, reason: error.message, column: null });
      }
      asText = true;
    }
  }
}

/**
 * Inserts, all or nothing. `known`: some rows were there already, and nobody counted which drop's; then, as after an error of
 * a row, which is returned, nothing was inserted.
 */
async function tryInsert(
  client: pg.ClientBase,
  { plan, into, onConflict }: PutInto,
  options: InsertOptions,
  left: number,
): Promise<PutRows['written'] | 'known' | ServerError> {
  await client.query('savepoint tidemark_insert');
  try {
    const result = await client.query<{ n: string; written: number }>(insertSql(plan, into, onConflict, options));
    if (options.countBy === null && result.rowCount !== left) {
      await client.query('rollback to savepoint tidemark_insert');
      return 'known';
    }
    await client.query('release savepoint tidemark_insert');
    return options.countBy === null ? null : new Map(result.rows.map(({ n, written }) => [Number(n), written]));
  } catch (error) {
    if (!isRowError(error)) throw error;
    await client.query('rollback to savepoint tidemark_insert');
    return error;
  }
}

/** Takes the rows out that this error is about. None: it is of a kind that only an INSERT shows. */
async function findRefused(
  client: pg.ClientBase,
  { plan, suspects }: PutInto,
  error: ServerError,
  asText: boolean,
): Promise<Refused[]> {
  const named = await suspectOf(client, plan, error);
  // Known already, and sifted: it did not show what the INSERT met.
  if (named === null || suspects.has(named.name)) return [];
  const found = await sift(client, plan, named.suspect, asText);
  if (found === null || found.length === 0) return [];
  suspects.set(named.name, named.suspect);
  return found;
}

/** Null: the question itself fails, as where a check divides by zero, or a table may not be read. */
async function sift(
  client: pg.ClientBase,
  plan: TablePlan,
  suspect: Suspect,
  asText: boolean,
): Promise<Refused[] | null> {
  await client.query('savepoint tidemark_sift');
  try {
    const { rows } = await client.query<{ _d: number; _l: string; reason: string; column: string | null }>(
      siftSql(plan, suspect, asText),
    );
    await client.query('release savepoint tidemark_sift');
    return rows.map(({ _d, _l, reason, column }) => ({ number: _d, line: Number(_l), reason, column }));
  } catch (error) {
    if (!('severity' in (error as object)) || /^(08|57|53|40)/.test((error as ServerError).code ?? '')) throw error;
    await client.query('rollback to savepoint tidemark_sift');
    return null;
  }
}

/** Tries ever smaller ranges, in the order of the rows, until each bad row is alone. */
async function halve(
  client: pg.ClientBase,
  into: PutInto,
  asText: boolean,
  by: '_d' | '_l',
  refused: Refused[],
): Promise<PutRows> {
  const { rows } = await client.query<{ at: string }>(`select ctid::text as at from ${TEMP} order by ctid`);
  const written = new Map<number, number>();
  // From the front: a key's rows must meet in their order.
  const todo: [from: number, to: number][] =
    rows.length > 1 ? [half(0, rows.length - 1)[1], half(0, rows.length - 1)[0]] : [[0, 0]];
  for (let range = rows.length === 0 ? undefined : todo.pop(); range; range = todo.pop()) {
    const [from, to] = range;
    const where = `ctid >= '${rows[from].at}'::tid and ctid <= '${rows[to].at}'::tid`;
    const done = await tryInsert(client, into, { asText, where, countBy: by }, 0);
    if (done instanceof Map) {
      for (const [n, count] of done) written.set(n, (written.get(n) ?? 0) + count);
    } else if (from < to) {
      todo.push(...half(from, to).reverse());
    } else {
      const error = done as ServerError;
      const taken = await client.query<{ _d: number; _l: string }>(
        `delete from ${TEMP} where ${where} returning _d, _l`,
      );
      const [{ _d, _l }] = taken.rows;
      refused.push({ number: _d, line: Number(_l), reason: error.message, column: error.column ?? null });
    }
  }
  return { refused, written };
}

function half(from: number, to: number): [[number, number], [number, number]] {
  const middle = Math.floor((from + to) / 2);
  return [
    [from, middle],
    [middle + 1, to],
  ];
}
