/** Rows that were exported and not compacted yet, as far as this process knows: when a compaction follows an export. Pure. */

import type { TableSchedule } from '../model/table.ts';

type After = TableSchedule['compactAfter'];

export class Waiting {
  readonly #tables = new Map<string, { rows: bigint; since: number }>();

  /** So many rows came. Returns when they are to be compacted; null: when the schedule says so. */
  add(table: string, rows: bigint, after: After, now: number): number | null {
    const before = this.#tables.get(table) ?? { rows: 0n, since: now };
    const waiting = { rows: before.rows + rows, since: before.since };
    this.#tables.set(table, waiting);
    if (after.rows !== null && waiting.rows >= BigInt(after.rows)) return now;
    return after.ms === null ? null : waiting.since + after.ms;
  }

  /** A compaction begins: what comes from now on it may not see. */
  taken(table: string): void {
    this.#tables.delete(table);
  }
}
