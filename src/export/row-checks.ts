/**
 * Holds rows against the table's expectations while they are read. Invariant: with `stop` a run that breaks one ends in an
 * error before anything of it is committed; with `report` every broken row is counted.
 */

import { TidemarkError } from '../model/error.ts';
import type { Expectations } from '../model/expectations.ts';
import type { Broken, WrittenColumn } from '../model/run.ts';
import { fieldText } from '../postgres/field-text.ts';
import { acceptedValues, type IsAccepted } from './accepted-values.ts';
import type { ColumnPlan } from './column-plan.ts';
import { type Batch, rowKey } from './row-key.ts';

type Check = { index: number; isAccepted: IsAccepted | null; broken: Broken };

/** Of a value in a sample. */
const MOST_CHARACTERS = 100;

export class RowChecks {
  readonly #table: string;
  readonly #plan: ColumnPlan;
  readonly #expect: Expectations;
  readonly #checks: Check[];
  readonly #closed: Broken[];
  #rows = 0n;

  /** `before`: the columns as the last run wrote them; null: there was none. Throws EXPECTATION_BROKEN for a column that is new. */
  constructor(table: string, plan: ColumnPlan, expect: Expectations, before: WrittenColumn[] | null) {
    this.#table = table;
    this.#plan = plan;
    this.#expect = expect;
    const check = (column: string, rule: Broken['rule'], isAccepted: IsAccepted | null): Check => ({
      index: plan.columns.findIndex(({ source }) => source === column),
      isAccepted,
      broken: { column, rule, count: 0, key: null, value: null },
    });
    this.#checks = [
      ...expect.notNull.map((column) => check(column, 'not_null', null)),
      ...Object.entries(expect.accepted).map(([column, values]) => {
        const planned = plan.columns.find(({ source }) => source === column)!;
        return check(column, 'accepted', acceptedValues(planned, values));
      }),
    ];
    const known = new Set(before?.map(({ source }) => source));
    const added = expect.closed && before ? plan.columns.filter(({ source }) => !known.has(source)) : [];
    this.#closed = added.map(({ source }) => ({ column: source, rule: 'closed', count: 1, key: null, value: null }));
    this.#stopIfBroken();
  }

  /** Rows as TupleBatches hands them over. */
  batch(batch: Batch, rows: number): void {
    this.#rows += BigInt(rows);
    const { bytes, view, at, stride } = batch;
    for (const check of this.#checks) {
      const first = check.index * stride;
      const { isAccepted } = check;
      if (isAccepted === null) {
        for (let i = 0; i < rows; i++) if (at[first + i] < 0) this.#note(check, batch, i);
      } else {
        for (let i = 0; i < rows; i++) {
          const p = at[first + i];
          if (p >= 0 && !isAccepted(bytes, view, p)) this.#note(check, batch, i);
        }
      }
    }
  }

  /** The value in that row had no place in the lake, and is written as NULL. */
  becameNull(column: string, batch: Batch, row: number): void {
    for (const check of this.#checks)
      if (check.isAccepted === null && check.broken.column === column) this.#note(check, batch, row);
  }

  /** With `stop`: throws EXPECTATION_BROKEN when something was. At the end of a row group, so that more than the first row is counted. */
  endOfGroup(): void {
    this.#stopIfBroken();
  }

  /** What was broken so far. */
  broken(): Broken[] {
    return [...this.#closed, ...this.#checks.map(({ broken }) => broken).filter(({ count }) => count > 0)];
  }

  #note({ broken, index }: Check, batch: Batch, row: number): void {
    if (broken.count++ > 0) return;
    const { bytes, view, at, stride } = batch;
    const value = fieldText(this.#plan.columns[index].wire, bytes, view, at[index * stride + row]);
    broken.key = rowKey(this.#plan, batch, row) ?? null;
    broken.value = value === null ? null : value.slice(0, MOST_CHARACTERS);
  }

  #stopIfBroken(): void {
    if (this.#expect.onBreak !== 'stop') return;
    const [first, ...more] = this.broken();
    if (!first) return;
    const others = more.length > 0 ? `; ${more.length} more expectations are broken` : '';
    throw new TidemarkError('EXPECTATION_BROKEN', `${whatBroke(first, this.#rows)}${others}`, {
      table: this.#table,
      column: first.column,
      key: first.key ?? undefined,
      hint: `${REMEDIES[first.rule](first)}; with on_break: report such a run is committed, and says so`,
    });
  }
}

const REMEDIES: Record<Broken['rule'], (broken: Broken) => string> = {
  closed: ({ column }) => `exclude: [${column}] leaves it out, one run with expect.columns: open takes it in`,
  not_null: () => 'mend the rows, or take the column out of expect.not_null',
  accepted: ({ column }) => `mend the rows, or add the value to expect.accepted.${column}`,
};

/** For people. `rows`: so many were read. */
function whatBroke({ rule, count, value }: Broken, rows: bigint): string {
  const some = `${count} of ${rows} ${rows === 1n ? 'row' : 'rows'} read`;
  if (rule === 'closed') return 'the column is new in the source';
  if (rule === 'not_null')
    return value === null ? `NULL in ${some}` : `without a place in the lake, so NULL, in ${some}`;
  return `${JSON.stringify(value)} is no accepted value, as in ${some}`;
}

/** What several parts of a run broke, together. */
export function mergeBroken(parts: readonly (readonly Broken[])[]): Broken[] {
  const merged = new Map<string, Broken>();
  for (const each of parts.flat()) {
    const id = `${each.rule} ${each.column}`;
    const known = merged.get(id);
    if (!known) merged.set(id, { ...each });
    else if (each.rule !== 'closed') known.count += each.count;
  }
  return [...merged.values()];
}
