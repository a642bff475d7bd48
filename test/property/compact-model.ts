/** What a staged table must hold after each of its versions: a map in memory, told of runs and compactions. */

import { takeBatch } from '../../src/compact/batches.ts';
import type { RawRun } from '../../src/state/raw-runs.ts';

/** Every value as text; null where there is none. */
export type Row = Record<string, string | null>;

/** A run as the model needs it: rows with all of the run's columns, under the identity of their key. */
export type ModelRun = {
  run: bigint;
  full: boolean;
  bytes: bigint;
  columns: string[];
  key: string[];
  rows: { id: string; op: 'u' | 'd'; row: Row }[];
};

export type Counts = { inserted: number; updated: number; deleted: number };

type Content = { columns: string[]; rows: Map<string, Row> };

export function inOrder(rows: Row[]): Row[] {
  const text = (row: Row) => JSON.stringify(Object.entries(row).sort());
  return rows.toSorted((a, b) => (text(a) < text(b) ? -1 : 1));
}

export class StagedModel {
  /** By version. */
  readonly history: Content[] = [];
  readonly runs: ModelRun[] = [];
  #through = 0n;

  /** Runs, from the first that a compaction takes. */
  #from(after: bigint): ModelRun[] {
    const last = this.runs.findLast(({ full }) => full)?.run ?? 0n;
    return this.runs.filter(({ run }) => run > after && run >= last);
  }

  get newest(): Content | null {
    return this.history.at(-1) ?? null;
  }

  /** Applies what is pending, a version for each batch. */
  compact(batchBytes: number, fullSchema: boolean): Counts {
    return this.#apply(this.newest, this.#from(this.#through), batchBytes, fullSchema, (content) =>
      this.history.push(content),
    );
  }

  /** All since the last full run, as one version. */
  rebuild(batchBytes: number, fullSchema: boolean): Counts {
    let last: Content | null = null;
    const counts = this.#apply(null, this.#from(0n), batchBytes, fullSchema, (content) => {
      last = content;
    });
    this.history.push(last!);
    return counts;
  }

  /** The staged columns that the source has no more go, when any is there. */
  dropColumns(): boolean {
    const now = this.newest;
    const keep = new Set(this.runs.at(-1)?.columns);
    if (!now || now.columns.every((name) => keep.has(name))) return false;
    const columns = now.columns.filter((name) => keep.has(name));
    const rows = [...now.rows].map(([id, row]) => [id, only(row, columns)] as const);
    this.history.push({ columns, rows: new Map(rows) });
    return true;
  }

  rows(version: number): Row[] {
    const { columns, rows } = this.history[version];
    return [...rows.values()].map((row) => only(row, columns));
  }

  #apply(
    before: Content | null,
    runs: ModelRun[],
    batchBytes: number,
    fullSchema: boolean,
    versioned: (content: Content) => void,
  ): Counts {
    const counts = { inserted: 0, updated: 0, deleted: 0 };
    const latest = new Set(this.runs.at(-1)?.columns);
    let content = before;
    for (let rest = runs; rest.length > 0; ) {
      const batch = rest.slice(0, takeBatch(rest as unknown as RawRun[], batchBytes).length);
      rest = rest.slice(batch.length);
      content = merge(content, batch, fullSchema ? latest : null, counts);
      versioned(content);
    }
    this.#through = this.runs.at(-1)?.run ?? this.#through;
    return counts;
  }
}

function only(row: Row, columns: string[]): Row {
  return Object.fromEntries(columns.map((name) => [name, row[name] ?? null]));
}

function merge(before: Content | null, batch: ModelRun[], keep: Set<string> | null, counts: Counts): Content {
  const all = [...(before?.columns ?? []), ...batch.flatMap((run) => run.columns)];
  const columns = [...new Set(all)].filter((name) => keep === null || keep.has(name));
  const newest = new Map(batch.flatMap((run) => run.rows.map((each) => [each.id, each] as const)));
  if (batch[0].full) {
    counts.inserted += newest.size;
    return { columns, rows: new Map([...newest].map(([id, { row }]) => [id, only(row, columns)])) };
  }
  const rows = new Map([...before!.rows].map(([id, row]) => [id, only(row, columns)]));
  for (const [id, { op, row }] of newest) {
    if (op === 'd') {
      if (rows.delete(id)) counts.deleted++;
      continue;
    }
    counts[rows.has(id) ? 'updated' : 'inserted']++;
    rows.set(id, only(row, columns));
  }
  return { columns, rows };
}
