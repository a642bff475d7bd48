/**
 * Brings rows into the table. Invariant: a row that the target refuses is set apart with Postgres's reason, and every other one
 * goes in. Works inside the caller's transaction; what it throws is no row's fault.
 */

import type pg from 'pg';
import type { TableName } from '../../model/table.ts';
import type { LoadSettings } from '../settings.ts';
import { COPY_TEMP, createTemp, type InsertOptions, insertSql } from './batch-sql.ts';
import { copyIn } from './copy-in.ts';
import type { TablePlan } from './plan-columns.ts';
import { cutLine } from './rows-text.ts';
import { searchRows } from './search-rows.ts';
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
  // Of this batch: another one may add to what is suspected at any time.
  const asked = new Set<string>();
  for (;;) {
    for (const [name, suspect] of into.suspects) {
      if (asked.has(name)) continue;
      asked.add(name);
      const found = await sift(client, into.plan, suspect, asText);
      if (found === null) into.suspects.delete(name);
      else refused.push(...found);
    }
    const left = rows - refused.length;
    if (left === 0) return { refused, written: new Map() };
    const done = await tryInsert(client, into, { asText, where: null, countBy: into.meetsKnown ? by : null }, left);
    if (done === 'known') {
      into.meetsKnown = true;
    } else if (!(done instanceof Error)) {
      return { refused, written: done };
    } else {
      const named = await suspectOf(client, into.plan, done);
      if (named && !asked.has(named.name)) {
        into.suspects.set(named.name, named.suspect);
        continue;
      }
      // Asked, and yet an INSERT meets such a row; or nothing but an INSERT shows it.
      const found = await searchRows(client, into, asText, by);
      return { refused: [...refused, ...found.refused], written: found.written };
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
