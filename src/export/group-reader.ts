/**
 * Turns COPY's bytes into row groups. Invariant: one group holds at most `rows` rows or about `bytes` bytes, rows stand in
 * the order in which they came, and every value without a place in the lake went through its column's policy.
 */

import { TidemarkError } from '../model/error.ts';
import type { UnfitCounts } from '../model/run.ts';
import type { ColumnData } from '../parquet/column-data.ts';
import { ShadowTextBuilder } from '../postgres/builders/bytes.ts';
import type { ColumnBuilder } from '../postgres/builders/column-builder.ts';
import { makeBuilder } from '../postgres/builders/make-builder.ts';
import type { CopySink } from '../postgres/copy-out.ts';
import { type BatchSink, TupleBatches } from '../postgres/tuple-batch.ts';
import type { CarriedIds } from './carried-ids.ts';
import type { ColumnPlan, PlannedColumn } from './column-plan.ts';
import type { RowChecks } from './row-checks.ts';
import { type Batch, rowKey } from './row-key.ts';

export type RowGroup = {
  rows: number;
  /** The plan's columns, each followed by its shadow. */
  columns: ColumnData[];
  /** Call once nobody reads that one of `columns` any more. */
  release(column: number): void;
};

export type GroupLimits = { rows: number; bytes: number };

export const GROUP_LIMITS: GroupLimits = { rows: 122_880, bytes: 32 << 20 };

type Reading = { column: PlannedColumn; builder: ColumnBuilder; shadow: ShadowTextBuilder | null };

export class GroupReader implements CopySink, BatchSink {
  readonly #table: string;
  readonly #plan: ColumnPlan;
  readonly #readings: Reading[];
  readonly #builders: ColumnBuilder[];
  #ids: CarriedIds;
  readonly #limits: GroupLimits;
  #onGroup: (group: RowGroup) => void;
  /** Null: between two COPYs. */
  #tuples: TupleBatches | null;
  #checks: RowChecks | null;
  unfit: UnfitCounts = {};
  rows = 0n;
  bytes = 0;
  #groupRows = 0;
  #groupBytes = 0;
  /** The batch in hand, for the key in an error. */
  #batch: Batch | null = null;

  constructor(
    table: string,
    plan: ColumnPlan,
    trustText: boolean,
    ids: CarriedIds,
    limits: GroupLimits,
    onGroup: (group: RowGroup) => void,
    checks: RowChecks | null = null,
  ) {
    this.#checks = checks;
    this.#table = table;
    this.#plan = plan;
    this.#ids = ids;
    this.#limits = limits;
    this.#onGroup = onGroup;
    this.#readings = plan.columns.map((column) => {
      const shadow = column.shadow === null ? null : new ShadowTextBuilder();
      const builder = makeBuilder(column.wire, column.lake, trustText, (row, text) =>
        this.#onUnfit(column, shadow, row, text),
      );
      return { column, builder, shadow };
    });
    this.#builders = this.#readings.flatMap(({ builder, shadow }) => (shadow ? [builder, shadow] : [builder]));
    this.#tuples = new TupleBatches(plan.columns.length + 1, this);
  }

  copyData(bytes: Buffer, view: DataView, start: number, end: number): void {
    this.bytes += end - start;
    this.#groupBytes += end - start;
    this.#tuples ??= new TupleBatches(this.#plan.columns.length + 1, this);
    this.#tuples.copyData(bytes, view, start, end);
  }

  chunkEnd(): void {
    this.#tuples?.chunkEnd();
  }

  room(): number {
    return this.#limits.rows - this.#groupRows;
  }

  batch(bytes: Buffer, view: DataView, at: Int32Array, stride: number, rows: number): void {
    this.#batch = { bytes, view, at, stride };
    this.#checks?.batch(this.#batch, rows);
    const readings = this.#readings;
    for (let i = 0; i < readings.length; i++) {
      readings[i].builder.append(bytes, view, at, i * stride, rows);
      readings[i].shadow?.append(bytes, view, at, i * stride, rows);
    }
    this.#ids.add(view, at, readings.length * stride, rows);
    this.rows += BigInt(rows);
    this.#groupRows += rows;
    if (this.#groupRows >= this.#limits.rows || this.#groupBytes >= this.#limits.bytes) this.#flush();
  }

  /** After finish(): begins anew with the buffers that it has; groups that it handed over may still be in use. */
  reuse(ids: CarriedIds, onGroup: (group: RowGroup) => void, checks: RowChecks | null): this {
    this.#ids = ids;
    this.#onGroup = onGroup;
    this.#checks = checks;
    this.unfit = {};
    this.rows = 0n;
    this.bytes = 0;
    return this;
  }

  /** Makes ready for the rows of another COPY, which go on in the same group. Throws SOURCE_FAILED as finish() does. */
  nextCopy(): void {
    this.#mustBeComplete();
    this.#tuples = null;
  }

  /** Hands over the last group. Throws SOURCE_FAILED when the COPY's trailer never came. */
  finish(): void {
    this.#mustBeComplete();
    this.#flush();
  }

  #mustBeComplete(): void {
    if (this.#tuples && !this.#tuples.complete)
      throw new TidemarkError('SOURCE_FAILED', 'the COPY ended before its end', { table: this.#table });
  }

  #flush(): void {
    if (this.#groupRows === 0) return;
    this.#checks?.endOfGroup();
    const builders = this.#builders;
    const columns = builders.map((builder) => builder.take());
    const rows = this.#groupRows;
    this.#groupRows = 0;
    this.#groupBytes = 0;
    this.#onGroup({
      rows,
      columns,
      release: (column) => builders[column].recycle(columns[column]),
    });
  }

  #onUnfit(column: PlannedColumn, shadow: ShadowTextBuilder | null, row: number, text: () => string): void {
    if (column.policy === 'fail') {
      throw new TidemarkError('VALUE_UNFIT', `${text().slice(0, 100)} has no place in the lake's type`, {
        table: this.#table,
        column: column.source,
        key: rowKey(this.#plan, this.#batch!, row),
        hint: `set columns.${column.source}.on_unfit: null to write NULL, or text to keep it beside in ${column.name}__text`,
      });
    }
    this.#checks?.becameNull(column.source, this.#batch!, row);
    const counts = this.unfit[column.name] ?? {};
    this.unfit[column.name] = counts;
    counts[column.policy] = (counts[column.policy] ?? 0) + 1;
    shadow?.set(row, text());
  }
}
