/**
 * `/metrics`. Invariant: counters count what the board told since the start; gauges are what holds at the scrape. Names and labels
 * are part of the interface: docs/status-page.md lists them.
 */

import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Board, Ended, Work } from '../daemon/board.ts';
import { displayName } from '../model/table.ts';
import type { TableStatus } from '../state/tables.ts';
import { VERSION } from '../version.ts';
import { waitingMs } from './staged-health.ts';
import { lagSeconds } from './status-json.ts';

const SECONDS = [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000];
const SERVICES = ['source', 'state', 'lake'];

/** What is asked at a scrape. `deadLetters`: by load; null where its target has not answered yet. */
export type Scrape = {
  tables: TableStatus[] | null;
  now: number;
  sourceConnections: number;
  oldestForeignSeconds: number | null;
  spoolBytes: number | null;
  deadLetters: ReadonlyMap<string, { drops: number; rejects: number }>;
};

/** A load has no table, a table's work no load. */
const labelsOf = ({ kind, name }: Work) => (kind === 'load' ? { kind, load: name } : { kind, table: name });

export class Metrics implements Disposable {
  readonly registry = new Registry();
  readonly #board: Board;
  readonly #unsubscribe: () => void;
  readonly #runs = this.#counter('runs_total', 'Runs that ended, by outcome.', ['kind', 'table', 'load', 'outcome']);
  readonly #failures = this.#counter('failures_total', 'Runs that failed.', ['kind', 'table', 'load']);
  readonly #rows = this.#counter(
    'rows_total',
    'Rows exported, compacted or loaded, and deleted rows that were found.',
    ['kind', 'table', 'load'],
  );
  readonly #bytes = this.#counter('bytes_total', 'Bytes written to the lake, or read by a load.', [
    'kind',
    'table',
    'load',
  ]);
  readonly #late = this.#counter(
    'late_rows_total',
    'Rows that were committed after a snapshot with a cursor value before it.',
    ['table'],
  );
  readonly #seconds = new Histogram({
    name: 'tidemark_run_seconds',
    help: 'How long runs took that did something.',
    labelNames: ['kind'],
    buckets: SECONDS,
    registers: [this.registry],
  });
  readonly #lag = this.#gauge(
    'lag_seconds',
    'Since the last look at the source: nothing that was committed before is missing in raw/.',
    ['table'],
  );
  readonly #stagedLag = this.#gauge('staged_lag_seconds', 'Since the snapshot that the staged table shows.', ['table']);
  readonly #waitingRows = this.#gauge('waiting_rows', 'Exported rows that the staged table has not seen.', ['table']);
  readonly #waitingSeconds = this.#gauge(
    'waiting_seconds',
    'Since the oldest run that the staged table has not seen.',
    ['table'],
  );
  readonly #rawBytes = this.#gauge('raw_bytes', 'Of committed raw files.', ['table']);
  readonly #reconciled = this.#gauge('reconciled_seconds', 'Since the last reconciliation; missing: there was none.', [
    'table',
  ]);
  readonly #failing = this.#gauge('failing', 'How often it failed since it last succeeded; 0: it does not fail.', [
    'kind',
    'table',
    'load',
  ]);
  readonly #failingSeconds = this.#gauge('failing_seconds', 'Since when it fails; 0: it does not.', [
    'kind',
    'table',
    'load',
  ]);
  readonly #running = this.#gauge('running', 'Runs at this moment.', ['kind']);
  readonly #away = this.#gauge('away', '1 while the server cannot be reached, else 0.', ['service']);
  readonly #deadLetters = this.#gauge(
    'dead_letters',
    'Drops that could not be read, and rejects that wait for a replay.',
    ['load', 'kind'],
  );
  readonly #connections = this.#gauge('source_connections', 'Open connections of this process to the source.', []);
  readonly #foreign = this.#gauge(
    'oldest_foreign_transaction_seconds',
    'Age of the oldest transaction of others in the source; 0: none.',
    [],
  );
  readonly #spool = this.#gauge('spool_bytes', "On the local disk, in this process's part of the spool.", []);

  constructor(board: Board) {
    this.#board = board;
    const constants = [
      this.#gauge('build_info', 'Always 1; its label says which version runs.', ['version']).labels(VERSION),
    ];
    for (const constant of constants) constant.set(1);
    this.#gauge('start_time_seconds', 'When the daemon started, in seconds since 1970.', []).set(
      board.startedAt / 1000,
    );
    this.#unsubscribe = board.subscribe((event) => {
      if (event.event === 'ended') this.#count(event.ended);
    });
  }

  async text(scrape: Scrape): Promise<string> {
    this.#setTables(scrape);
    this.#setWorks(scrape.now);
    this.#away.reset();
    const away = this.#board.away();
    for (const service of new Set([...SERVICES, ...away.keys()]))
      this.#away.set({ service }, away.has(service) ? 1 : 0);
    this.#deadLetters.reset();
    for (const [load, { drops, rejects }] of scrape.deadLetters) {
      this.#deadLetters.set({ load, kind: 'drop' }, drops);
      this.#deadLetters.set({ load, kind: 'reject' }, rejects);
    }
    this.#connections.set(scrape.sourceConnections);
    this.#foreign.set(scrape.oldestForeignSeconds ?? 0);
    this.#spool.set(scrape.spoolBytes ?? 0);
    return this.registry.metrics();
  }

  #count(ended: Ended): void {
    const labels = labelsOf(ended);
    this.#runs.inc({ ...labels, outcome: ended.outcome });
    this.#failures.inc(labels, ended.outcome === 'failed' ? 1 : 0);
    this.#rows.inc(labels, ended.rows);
    this.#bytes.inc(labels, ended.bytes);
    if (ended.kind === 'export') this.#late.inc({ table: ended.name }, ended.lateRows);
    if (ended.outcome === 'done') this.#seconds.observe({ kind: ended.kind }, ended.seconds);
  }

  // A table that is gone leaves no series behind: each gauge begins anew.
  #setTables({ tables, now }: Scrape): void {
    const gauges = [
      this.#lag,
      this.#stagedLag,
      this.#waitingRows,
      this.#waitingSeconds,
      this.#rawBytes,
      this.#reconciled,
    ];
    for (const gauge of gauges) gauge.reset();
    for (const status of tables ?? []) {
      const table = displayName(status.table);
      const lag = lagSeconds(status, now);
      if (lag !== null) this.#lag.set({ table }, lag);
      this.#rawBytes.set({ table }, Number(status.raw.bytes));
      const { staged, reconciled } = status;
      if (reconciled !== null) this.#reconciled.set({ table }, Math.max(0, now - Date.parse(reconciled.at)) / 1000);
      if (staged === null) continue;
      this.#waitingRows.set({ table }, Number(staged.waiting.rows));
      this.#waitingSeconds.set({ table }, waitingMs(status, now) / 1000);
      const stagedLag = staged.waiting.runs === 0n ? lag : staged.asOf && (now - Date.parse(staged.asOf)) / 1000;
      if (stagedLag !== null && stagedLag !== '') this.#stagedLag.set({ table }, Math.max(0, stagedLag));
    }
  }

  #setWorks(now: number): void {
    for (const gauge of [this.#failing, this.#failingSeconds, this.#running]) gauge.reset();
    const running = new Map<string, number>();
    for (const work of this.#board.works()) {
      const labels = labelsOf(work);
      this.#failing.set(labels, work.trouble?.times ?? 0);
      this.#failingSeconds.set(labels, work.trouble ? Math.max(0, now - work.trouble.since) / 1000 : 0);
      running.set(work.kind, (running.get(work.kind) ?? 0) + (work.running ? 1 : 0));
    }
    for (const [kind, count] of running) this.#running.set({ kind }, count);
  }

  #gauge<L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> {
    return new Gauge({ name: `tidemark_${name}`, help, labelNames, registers: [this.registry] });
  }

  #counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name: `tidemark_${name}`, help, labelNames, registers: [this.registry] });
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
  }
}
