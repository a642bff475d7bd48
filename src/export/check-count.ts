/** Whether a counted cursor can be trusted to say when a row was written. Pure. */

import { TidemarkError } from '../model/error.ts';
import type { Mark, Micros } from '../model/mark.ts';
import { displayName, type TableName } from '../model/table.ts';
import type { Step } from '../model/trail.ts';
import type { CursorCount } from '../postgres/cursor-count.ts';
import { uncounted } from './choose-rows.ts';

/** What is wrong, and what mends it. */
export type CountProblem = { found: string; remedy: string };

const SCAN = '`cursor: none`, which finds changed rows by a scan';

/** Why rows would be missed; null: nothing shows that they would. */
export function countProblem(column: string, count: CursorCount): CountProblem | null {
  const { sequence, cache, increment, cycle, triggers } = count;
  const counter = triggers.find(({ body }) => countsRow(body, column));
  if (counter) {
    return {
      found: `trigger ${counter.name} counts ${column} up in each row: a row with a small number can be the newest`,
      remedy: SCAN,
    };
  }
  if (sequence === null && triggers.length === 0) {
    return {
      found: `${column} is drawn neither from a sequence nor by a trigger: nothing shows that it grows over the whole table`,
      remedy: SCAN,
    };
  }
  if (sequence === null) return null;
  if (cache !== 1n) {
    return {
      found: `each session takes ${cache} values at once from ${sequence}, and may use small ones late`,
      remedy: `ALTER SEQUENCE ${sequence} CACHE 1, and new sessions; or ${SCAN}`,
    };
  }
  if (increment < 1n || cycle) {
    return {
      found: `${sequence} does not only grow`,
      remedy: `ALTER SEQUENCE ${sequence} INCREMENT 1 NO CYCLE; or ${SCAN}`,
    };
  }
  return null;
}

/** What cannot be known of a cursor that is not refused; null: nothing. */
export function countDoubt(column: string, { sequence, triggers }: CursorCount): CountProblem | null {
  const draws = triggers.filter(({ body }) => mentions(body, column) || /nextval/i.test(body));
  if (!draws.some(({ onUpdate }) => onUpdate)) {
    return {
      found: `${column} is set when a row is inserted, and no trigger sets it on UPDATE: a row that is updated without a new number is not found`,
      remedy: `a BEFORE UPDATE trigger that draws a number, or ${SCAN}; a table that is only inserted into needs neither`,
    };
  }
  if (sequence === null) {
    return {
      found: `a trigger sets ${column}: whether from one sequence with CACHE 1, in the transaction that writes the row, cannot be proven`,
      remedy: `give ${column} a default of nextval('…') of the same sequence, if so`,
    };
  }
  return null;
}

/** Throws CURSOR_TYPE. */
export function requireCount(table: TableName, column: string, count: CursorCount): void {
  const problem = countProblem(column, count);
  if (!problem) return;
  throw new TidemarkError('CURSOR_TYPE', `as a cursor ${column} would miss rows: ${problem.found}`, {
    table: displayName(table),
    column,
    hint: problem.remedy,
  });
}

/** The mark as far as the count is still the one it knows: set back (setval, RESTART), small numbers are new again. */
export function knownCount(mark: Mark, { column, last }: CursorCount): Mark {
  const greatest = mark.trail.at(-1);
  if (!greatest) return mark;
  return greatest.column !== column || (last !== null && last < greatest.value) ? uncounted(mark) : mark;
}

/** How far the count is for sure. `at`: the snapshot's clock; `watermark`: the greatest number exported. */
export function stepOf(
  { column, last, at: readAt, standby }: CursorCount,
  at: Micros,
  watermark: string | null,
): Step | null {
  // A standby's sequence is up to 32 numbers ahead of its primary's, and its clock is not the one that transactions start by.
  if (standby) return null;
  if (last !== null) return { at: readAt, value: last, column };
  return watermark === null ? null : { at, value: BigInt(watermark), column };
}

function mentions(body: string, column: string): boolean {
  return new RegExp(`\\bnew\\s*\\.\\s*"?${escaped(column)}\\b`, 'i').test(body);
}

/** `new.version := old.version + 1`, in any of its spellings. */
function countsRow(body: string, column: string): boolean {
  const name = `"?${escaped(column)}"?`;
  return new RegExp(`\\b(old|new)\\s*\\.\\s*${name}\\s*(,\\s*-?\\d+\\s*\\)\\s*)?\\+\\s*\\d`, 'i').test(body);
}

function escaped(column: string): string {
  return column.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
